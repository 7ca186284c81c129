"""Encoded files in memory: each once, for Python and for TensorFlow."""

from collections.abc import Sequence

import tensorflow as tf


class Encoded(Sequence):
  """A sequence of encoded files, such as bytes of JPEGs.

  They lie in a table of TensorFlow's. Its threads read them there, without
  Python's global lock, which would cost a tenth of the input's pace or more; a
  file that Python asks for is copied. A tensor can't be filled bit by bit, so
  that all files would be in memory twice while it is made.
  """

  def __init__(self, files: Sequence[bytes] = ()):
    self._table = tf.lookup.experimental.MutableHashTable(
        tf.int64, tf.string, ''
    )
    self._keys = []
    self.extend(files)

  def extend(self, files: Sequence[bytes]):
    """Adds files at the end; before `keep`."""
    keys = range(len(self._keys), len(self._keys) + len(files))
    self._table.insert(tf.constant(keys, tf.int64), list(files))
    self._keys += keys

  def keep(self, places):
    """Leaves the files at these places, in this order, and no others."""
    keys = [self._keys[place] for place in places]
    others = sorted(set(self._keys) - set(keys))
    self._table.remove(tf.constant(others, tf.int64))
    self._keys = keys

  def __len__(self) -> int:
    return len(self._keys)

  def __getitem__(self, place):
    """A file, or those of a slice, which stay where they are."""
    if isinstance(place, slice):
      part = Encoded()
      part._table, part._keys = self._table, self._keys[place]
      return part
    key = tf.constant(self._keys[place], tf.int64)
    return self._table.lookup(key).numpy()

  def look_up(self, place):
    """The file at a place, int64 [], as a tensor, string []: in a graph."""
    return self._table.lookup(tf.constant(self._keys, tf.int64)[place])
