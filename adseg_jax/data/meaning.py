"""How a folder's labels are read: by colours or as ids, all in one way.

Each file says in which ways it could be read; the way that all allow is
taken. Where two ways are left and differ, the files are refused: a label's
meaning is not guessed.
"""

import collections
import functools
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adseg_jax.data import labels
from adseg_jax.data.classes import Table, table_of
from adseg_jax.data.dataset import VOID, shorten
from adseg_jax.data.labels import BadFile, Label
from adseg_jax.data.pixels import OWN_CLASSES, Pixels, read_pixels
from adseg_jax.data.text import lines_of
from adseg_jax.data.threads import in_threads
from adseg_jax.errors import UserError
from adseg_jax.wording import counted

MIXED = 'labels read in another way than the rest'
AMBIGUOUS = 'labels that can be read in two ways'
OTHER_CLASSES = 'labels of other classes'

COLOUR, NUMBER, SHADE = 'colour', 'number', 'shade'
# The ways, the first preferred where they agree.
_WORDS = {
    COLOUR: 'by colour', NUMBER: 'as ids',
    SHADE: 'as ids, the grey levels that are shown',
}
# Distinct values of a file in order -> their class ids, for each way that is
# possible.
Ways = Mapping[str, tuple[int, ...]]


class Decision(NamedTuple):
  """How the labels of a folder are read."""

  way: str
  # File -> (AMBIGUOUS, the other way) or (MIXED, a file of the rest).
  refused: dict[str, tuple[str, str]]
  # Files that could be ids and are read by colour, as the rest are.
  also: tuple[str, ...] = ()


def ways(pixels: Pixels, table: Table) -> Ways:
  """The ways in which a file could be read, and what each makes of it."""
  found = {}
  if table.colours:
    known = dict(zip(table.colours, table.ids, strict=True))
    if all(colour in known for colour in pixels.colours):
      found[COLOUR] = tuple(known[colour] for colour in pixels.colours)
    # Few bits are what tools make of black and white, not ids.
    if pixels.form != 'grey' or (
        found and pixels.numbers != pixels.shades
    ):
      return found
  ids = dict(zip(table.values, table.ids, strict=True)) | {VOID: VOID}
  for way, values in ((NUMBER, pixels.numbers), (SHADE, pixels.shades)):
    if values and all(value in ids for value in values):
      found[way] = tuple(ids[value] for value in values)
  return found


def decide(
    files: Mapping[str, Ways], coloured: bool = False,
    black_and_white: bool = False,
) -> Decision:
  """The one way in which all files are read.

  Args:
    files: name -> its ways; one with none is refused for itself.
    coloured: whether the classes have colours.
    black_and_white: whether all pixels of all files are.
  """
  files = {name: found for name, found in files.items() if found}
  if not files:
    return Decision(COLOUR if coloured else NUMBER, {})
  counts = collections.Counter(way for found in files.values() for way in found)
  way = max(_WORDS, key=counts.__getitem__)
  if counts[way] < len(files):
    example = next(name for name, found in files.items() if way in found)
    return Decision(way, {
        name: (MIXED, example) for name, found in files.items()
        if way not in found
    })
  full = [way for way in _WORDS if counts[way] == len(files)]
  way, *others = _meaningful(files, full) if black_and_white else full
  refused = {
      name: (AMBIGUOUS, other)
      for other in others for name, found in files.items()
      if found[way] != found[other]
  }
  also = tuple(
      name for name, found in files.items()
      if way == COLOUR and any(found[COLOUR] != ids for ids in found.values())
  )
  return Decision(way, refused, also if len(also) < len(files) else ())


def _meaningful(files, full: list[str]) -> list[str]:
  """Leaves out a way in which white is void and nothing but black is left.

  That is how masks of two classes look when 255 is taken for void.
  """
  seen = {
      way: {one for found in files.values() for one in found[way]}
      for way in full
  }

  def poor(way):
    return VOID in seen[way] and any(
        len(seen[other] - {VOID}) > len(seen[way] - {VOID})
        and (other == COLOUR or VOID not in seen[other]) for other in full
    )

  return [way for way in full if not poor(way)]


def _why_refused(pixels, table, decision, kind, other) -> str:
  found = ways(pixels, table)
  if kind == MIXED:
    value = pixels.numbers[-1] if pixels.numbers else pixels.colours[-1]
    return (
        f'it holds {value} and can be read {_WORDS[next(iter(found))]} only, '
        f'but {other} and others {_WORDS[decision.way]} only: store all '
        'labels in one way'
    )
  classes = (*table.classes, *['void'] * (VOID + 1 - len(table.classes)))
  shade, one, two = next(
      row for row in zip(
          pixels.shades, found[decision.way], found[other], strict=True
      ) if row[1] != row[2]
  )
  advice = (
      'store labels as RGB to have them read by colour, or take the colours '
      f'out of {table.path.name} to have them read as ids'
      if table.colours else 'store ids as 8-bit grey PNGs'
  )
  return (
      f'its grey {shade} is {classes[one]} when read {_WORDS[decision.way]}, '
      f'but {classes[two]} when read {_WORDS[other]}: {advice}'
  )


class Meaning:
  """Reads the labels of a folder, after looking at all of them once."""

  def __init__(self, table: Table, paths: Sequence[Path], root: Path):
    self._table, self._paths, self._root = table, paths, root
    self._lock, self._decision = threading.Lock(), None

  def decision(self) -> Decision:
    """How they are read."""
    with self._lock:
      if self._decision is None:
        found = list(in_threads(self._ways, self._paths))
        names = map(self._name, self._paths)
        self._decision = decide(
            dict(zip(names, [one for one, _ in found], strict=True)),
            bool(self._table.colours), all(two for _, two in found),
        )
    return self._decision

  def read(self, path: Path) -> Label:
    """A label's class ids.

    Raises:
      BadFile: it is broken, or its meaning is not certain.
    """
    pixels = read_pixels(path)
    if pixels.classes:
      return pixels.label(_own_ids(pixels, self._table), indexed=False)
    ids = self._ids(pixels, self._name(path))
    return pixels.label(ids, indexed=self.decision().way == NUMBER)

  def _ids(self, pixels: Pixels, name: str) -> tuple[int, ...]:
    decision = self.decision()
    if wrong := decision.refused.get(name):
      raise BadFile(
          wrong[0], _why_refused(pixels, self._table, decision, *wrong)
      )
    ids = ways(pixels, self._table).get(decision.way)
    if ids is None:
      raise _unexplained(pixels, self._table, decision.way)
    return ids

  def said(self) -> str:
    """One line: which classes there are, and how pixels are read."""
    decision = self.decision()
    also = f', also {shorten(decision.also, 3)}, which could be ids'
    return (
        f'{self._table.said}; pixels are read {_WORDS[decision.way]}'
        + (also if decision.also else '')
    )

  def _ways(self, path) -> tuple[Ways, bool]:
    """A file's ways, and whether it is black and white."""
    try:
      pixels = read_pixels(path)
    except BadFile:
      pixels = None
    if pixels is None or pixels.classes:
      return {}, True
    return ways(pixels, self._table), bool(pixels.shades) and (
        set(pixels.shades) <= {0, VOID}
    )

  def _name(self, path) -> str:
    return os.path.relpath(path, self._root)


def _own_ids(pixels: Pixels, table: Table) -> tuple[int, ...]:
  """Ids of a file that says itself what its colours mean."""
  own = _own_table(pixels.classes)
  names = dict(zip(own.colours, own.names, strict=True))
  ids = dict(zip(table.names, table.ids, strict=True))
  held = [names.get(colour, colour) for colour in pixels.colours]
  if strange := [name for name in held if name not in ids]:
    raise BadFile(
        OTHER_CLASSES, f'the label says that it holds {strange[0]}, which '
        f'{table.path.name} does not name: give the classes.txt that `adseg '
        'predict` wrote beside it, or the same names'
    )
  return tuple(ids[name] for name in held)


@functools.cache
def _own_table(text: str) -> Table:
  try:
    return table_of(lines_of(text), '', Path(OWN_CLASSES))
  except UserError as error:
    raise BadFile(labels.UNREADABLE_LABEL, str(error)) from error


def _unexplained(pixels: Pixels, table: Table, way: str) -> BadFile:
  """What the table does not say of a file."""
  name = table.path.name
  if not pixels.numbers and not table.colours:
    return BadFile(
        labels.COLOURED, f'the label is in colour, but {name} has no colours: '
        'add them (`road 128 64 128`), or store ids as 8-bit grey'
    )
  if way == COLOUR or not pixels.numbers:
    strange = [c for c in pixels.colours if c not in table.colours]
    more = f' and {len(strange) - 1} more' if strange[1:] else ''
    return BadFile(
        labels.STRANGE_COLOURS, f'the label holds the colour {strange[0]}'
        f'{more}, which no class has in {name}'
        if min(strange[0]) >= 0 else 'the label holds the value '
        f'{pixels.numbers[pixels.colours.index(strange[0])]}, which is no '
        f'colour in {name}'
    )
  count = len(table.values)
  values = np.array(pixels.numbers if way == NUMBER else pixels.shades)
  if table.values == tuple(range(count)):
    return BadFile(labels.STRANGE_IDS, labels.strange_ids(
        values, count, f'{name} has {counted(count, "line")}'
    ))
  wrong = [v for v in values.tolist() if v not in (*table.values, VOID)]
  return BadFile(
      labels.STRANGE_IDS, f'the label holds the id {wrong[0]}, but {name} '
      f'has {shorten(table.values, 9)}: name it there, as `{wrong[0]} void`'
  )
