"""A split of a data set in memory: encoded, checked, in a fixed order."""

import contextlib
import dataclasses
import functools
import hashlib
import io
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from adseg_jax import config
from adseg_jax.data import copies, downloads, pictures
from adseg_jax.data.dataset import Dataset, limited
from adseg_jax.data.encoded import Encoded
from adseg_jax.data.files import Files
from adseg_jax.data.inspection import read
from adseg_jax.data.labels import encode, read_stored
from adseg_jax.data.originals import given_root, refuse
from adseg_jax.data.threads import chunks, in_threads
from adseg_jax.errors import UserError

# JAX computes on the accelerators; TensorFlow would take all their memory.
tf.config.set_visible_devices([], 'GPU')

_DOWNLOAD_ERRORS = (
    tfds.core.download.util.DownloadError,
    tfds.core.download.download_manager.NonMatchingChecksumError,
    tfds.core.download.extractor.ExtractError,
)


@dataclasses.dataclass(frozen=True)
class Examples:
  """Examples of a split, sorted by name."""

  # JPEG or PNG files, as `pictures.plain` gives them; the training stream needs
  # an `Encoded`.
  images: Sequence[bytes]
  labels: Sequence[bytes]  # 8-bit grey PNG files of class ids, 255 void
  names: tuple[str, ...]
  # 16 hexadecimal digits that change with a name, an image's file or a label's
  # ids anywhere in the split as it is prepared; not with `data.size`, nor with
  # `data.limit`, but that data sets of original files prepare no more than it
  # says.
  digest: str = ''

  def __len__(self) -> int:
    return len(self.names)

  def keep(self, places) -> 'Examples':
    """Those at these places, in this order; the others' files are forgotten."""
    self.images.keep(places)
    self.labels.keep(places)
    names = tuple(self.names[place] for place in places)
    return dataclasses.replace(self, names=names)

  def part(self, index: int, count: int) -> 'Examples':
    """Every `count`-th example, from `index` on: a host's share."""
    return Examples(
        self.images[index::count], self.labels[index::count],
        self.names[index::count], self.digest,
    )


def load(dataset: Dataset, split: str, data: config.Data) -> Examples:
  """Reads a split into memory, after preparing the data set if needed.

  Raises:
    UserError: the data set can't be prepared, has no such split or nothing in
      it, or an example's label does not fit the image or the classes.
  """
  examples, contents = gather(in_threads(
      lambda row: _ready(dataset, data.size, *row),
      stored(dataset, split, data),
  ))
  order = sorted(range(len(contents)), key=contents.__getitem__)
  kept = examples.keep(limited(order, data.limit))
  return dataclasses.replace(kept, digest=_digest(sorted(contents)))


def gather(rows) -> tuple[Examples, list[tuple[str, str]]]:
  """Examples of (name, image, label, content), in order.

  Returns:
    (examples, whose digest is of names and contents; names and contents).
  """
  images, labels, contents = Encoded(), Encoded(), []
  for chunk in chunks(rows):
    images.extend([image for _, image, _, _ in chunk])
    labels.extend([label for _, _, label, _ in chunk])
    contents += [(name, content) for name, _, _, content in chunk]
  names = tuple(name for name, _ in contents)
  return Examples(images, labels, names, _digest(contents)), contents


def _digest(contents) -> str:
  text = ''.join(f'{name} {content}\n' for name, content in contents)
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def stored(dataset: Dataset, split: str, data: config.Data) -> Iterator[tuple]:
  """Yields name, encoded image and encoded label of each example, unchecked.

  Raises:
    UserError: the data set can't be prepared, has no such split or nothing in
      it.
  """
  builder = _prepare(dataset, data)
  try:
    part = builder.info.splits[split]  # a part, as 'train[:90%]', is one too
  except (KeyError, ValueError):
    raise UserError(
        f'data set {dataset.name} has no split {split!r}; it has: '
        f'{", ".join(builder.info.splits)}'
    ) from None
  if not part.num_examples:
    raise UserError(
        f'split {split!r} of data set {dataset.name} is empty: delete '
        f'{builder.data_dir} and prepare it again'
    )
  rows = _read(builder, split, dataset.features)
  if dataset.ids is None:
    return rows
  return in_threads(lambda row: _translate(*row, dataset.ids), rows)


def _prepare(dataset: Dataset, data: config.Data):
  """The builder, with its files written."""
  copies.place(data.prepared)  # TFDS would make a folder of the name ~
  make = dataset.builder or functools.partial(Files, dataset)
  builder = make(data)
  if builder.data_path.exists():
    return builder
  tfds.disable_progress_bar()
  options = tfds.download.DownloadConfig(
      try_download_gcs=False,
      # Where TFDS looks for archives that it may not download itself.
      manual_dir=given_root(data),
  )
  try:
    # TFDS prints a line about sizes that it does not know.
    with contextlib.redirect_stdout(io.StringIO()), downloads.asked_first():
      builder.download_and_prepare(download_config=options)
  except AssertionError as error:
    raise UserError(
        f"data set {dataset.name} can't be prepared: {error} Check that "
        'each split has images'
    ) from error
  except (OSError, tf.errors.OpError, *_DOWNLOAD_ERRORS) as error:
    # Another process may have prepared the same folder in the meantime.
    builder = make(data)
    if not builder.data_path.exists():
      raise UserError(
          f"data set {dataset.name} can't be prepared in "
          f'{builder.data_dir}: {error}; give another folder as --data.prepared'
      ) from error
  said = builder.originals.said() if dataset.originals else ()
  print('\n'.join([
      *said, f'Prepared copy of data set {dataset.name}: {builder.data_dir} '
      '(`adseg data` lists and clears them)',
  ]), flush=True)
  return builder


def _read(builder, split: str, features):
  """Yields name, encoded image and encoded label of each example."""
  encoded = tfds.decode.SkipDecoding()
  name, image, label = features
  examples = builder.as_dataset(
      split=split, decoders={image: encoded, label: encoded}
  )
  for example in examples.as_numpy_iterator():
    yield example[name].decode(), example[image], example[label]


def _translate(name: str, image: bytes, label: bytes, ids):
  """The same example, its label's values replaced by class ids."""
  with Image.open(io.BytesIO(label)) as mask:
    values = np.asarray(mask)
  return name, image, encode(np.array(ids, np.uint8)[values])


def _ready(dataset: Dataset, size, name: str, image: bytes, label: bytes):
  """An example as training reads it, and a hash of what it was before.

  Raises:
    UserError: training would misread it in silence.
  """
  found = read(
      dataset, name, lambda: pictures.plain(image), lambda: read_stored(label)
  )
  refuse(dataset.name, found.faults)
  ids = found.label.ids
  # The ids: a PNG's bytes depend on who compressed it.
  content = hashlib.sha256(image)
  content.update(repr(ids.shape).encode() + ids.tobytes())
  image = found.image
  if any(size):
    image = pictures.resized(image, size)
    mask = Image.fromarray(ids).resize(size[::-1], Image.Resampling.NEAREST)
    label = encode(np.asarray(mask))
  return name, image, label, content.hexdigest()
