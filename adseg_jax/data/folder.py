"""A person's own images: a folder with images/, labels/ and classes.txt.

Labels are PNGs of the images' names. classes.txt names a class on each line,
the first for the value 0; a line `void` stands for values that are no class,
as 255 always is. Where every line ends in a red, a green and a blue of 0 to
255, as in `road 128 64 128`, labels in colour or with a palette are read by
their colours; otherwise their values or indices are the ids.

Splits: train.txt, validation.txt and, if wanted, test.txt with a name on each
line; without them, `data.held_out` of the images validates.
"""

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adseg_jax import config
from adseg_jax.data.dataset import VOID, Dataset, Source, colormap
from adseg_jax.data.files import Files
from adseg_jax.data.labels import (
    COLOURED,
    STRANGE_IDS,
    BadFile,
    Label,
    mode,
    read_coloured,
    read_png,
    strange_ids,
)
from adseg_jax.data.originals import (
    IMAGES,
    Fault,
    Originals,
    find_root,
    listing,
    pair,
)
from adseg_jax.errors import UserError

UNKNOWN = 'listed names without an image'
IN_TWO = 'names in two splits'
_VOID = 'void'
_SPLITS = ('train', 'validation', 'test')
_COLOUR = re.compile(r'(.*?)[\s,:]+(\d+)[\s,]+(\d+)[\s,]+(\d+)')

SOURCE = Source(
    homepage='',
    licence='',
    layout='images/, labels/ with PNGs of equal names, classes.txt with a '
    'class on each line, optionally with its colour (`road 128 64 128`); '
    'optionally train.txt, validation.txt and test.txt',
)


class Folder(Files):
  """A folder of images and labels."""

  name = 'folder'


class Table(NamedTuple):
  """What classes.txt says.

  Attributes:
    names: of the lines, in order; `void` is no class.
    colours: of the lines; empty where there are none.
    ids: class id of each line, 255 for void.
  """

  names: tuple[str, ...]
  colours: tuple[tuple[int, ...], ...]
  ids: tuple[int, ...]


def read_classes(path: Path) -> Table:
  """Reads classes.txt; empty lines do not count.

  Raises:
    UserError: a line can't be understood, or two lines are the same.
  """
  try:
    lines = [line.strip() for line in path.read_text('utf-8').splitlines()]
  except (OSError, UnicodeDecodeError) as error:
    raise UserError(f'{path}: cannot be read: {error}') from error
  lines = [line for line in lines if line]
  parts = [_COLOUR.fullmatch(line) for line in lines]
  if any(parts) and not all(parts):
    line = lines[parts.index(None)]
    raise UserError(
        f'{path}: the line {line!r} has no colour, but others have: give all '
        'lines one, or none'
    )
  names = [m[1] if m else line for m, line in zip(parts, lines, strict=True)]
  colours = [tuple(map(int, m.groups()[1:])) for m in parts if m]
  classes = [name for name in names if name != _VOID]
  _check_classes(path, classes, colours)
  ids = [VOID if name == _VOID else classes.index(name) for name in names]
  return Table(tuple(names), tuple(colours), tuple(ids))


def _check_classes(path, classes, colours):
  twice = [
      item for items in (classes, colours)
      for item in items if items.count(item) > 1
  ]
  if twice:
    raise UserError(f'{path}: {twice[0]} stands there twice')
  wrong = [colour for colour in colours if max(colour) > 255]
  if wrong:
    raise UserError(f'{path}: the colour {wrong[0]} is beyond 255')
  if not 2 <= len(classes) <= VOID:
    raise UserError(
        f'{path}: {len(classes)} classes: give 2 to {VOID}, one on each line'
    )


def read_label(path: Path, table: Table) -> Label:
  """A label file as classes.txt explains it.

  Raises:
    BadFile: it is broken, or holds what classes.txt does not explain.
  """
  kind = mode(path)
  if table.colours and kind in ('P', 'RGB', 'RGBA'):
    return read_coloured(path, dict(zip(table.colours, table.ids, strict=True)))
  if kind in ('RGB', 'RGBA'):
    raise BadFile(
        COLOURED, f'the label is in colour ({kind}), but classes.txt has no '
        'colours: add them (`road 128 64 128`), or store ids as 8-bit grey'
    )
  label = read_png(path)
  count = len(table.ids)
  wrong = strange_ids(label.ids, count, f'classes.txt has {count} lines')
  if wrong:
    raise BadFile(STRANGE_IDS, wrong)
  ids = np.full(256, VOID)
  ids[:count] = table.ids
  return Label(ids[label.ids], label.colours)


def _listed(root: Path, images) -> tuple[dict[str, list[str]], list[Fault]]:
  """Names of the splits that files in the root list; none: no splits."""
  splits, faults, seen = {}, [], {}
  for split in _SPLITS:
    path = root / f'{split}.txt'
    if not path.exists():
      continue
    lines = [line.strip() for line in path.read_text('utf-8').splitlines()]
    names = [_bare(line) for line in lines if line]
    for name in names:
      if name in seen:
        faults.append(Fault(IN_TWO, name, f'in {seen[name]} and {path.name}'))
      elif name not in images:
        faults.append(Fault(UNKNOWN, name, f'{path.name} lists it'))
      seen[name] = path.name
    splits[split] = names
  if splits and not {'train', 'validation'} <= splits.keys():
    raise UserError(
        f'{root}: has {" and ".join(f"{split}.txt" for split in splits)} '
        'only: give train.txt and validation.txt, or no list at all'
    )
  return splits, faults


def _bare(name: str) -> str:
  ending = next((s for s in IMAGES if name.lower().endswith(s)), '')
  return name[:len(name) - len(ending)]


def _divided(names, share: float) -> dict[str, list[str]]:
  """A part for validation that depends on the names alone."""
  if not 0 < share < 1:
    raise UserError(f'--data.held_out is {share}: give a share, 0 < share < 1')
  ranked = sorted(
      names, key=lambda name: hashlib.sha256(name.encode()).digest()
  )
  count = max(1, round(share * len(ranked)))
  return {'train': ranked[count:], 'validation': ranked[:count]}


def originals(data: config.Data) -> Originals:
  """The files in `data.root`.

  Raises:
    UserError: something is missing, or a list or classes.txt is wrong.
  """
  root = find_root(data, 'folder', SOURCE, ('images', 'labels', 'classes.txt'))
  table = read_classes(root / 'classes.txt')
  images, faults = listing(root / 'images', IMAGES)
  masks, _ = listing(root / 'labels', ('.png',))
  splits, wrong = _listed(root, images)
  if splits:
    # What no list names is not used.
    used = {name for names in splits.values() for name in names}
    images = {name: images[name] for name in images.keys() & used}
    masks = {name: masks[name] for name in masks.keys() & used}
  records, unpaired = pair(images, masks, root)
  splits = splits or _divided([r.name for r in records], data.held_out)
  records = {record.name: record for record in records}
  return Originals(
      root,
      {
          split: tuple(sorted(
              records[name] for name in set(names) & records.keys()
          ))
          for split, names in splits.items()
      },
      lambda path: read_label(path, table),
      (*faults, *wrong, *unpaired),
      options=repr(table),
  )


def dataset(data: config.Data) -> Dataset:
  """The data set in `data.root`, with the classes that it names.

  Raises:
    UserError: the folder or its classes.txt is missing or wrong.
  """
  root = find_root(data, 'folder', SOURCE, ('classes.txt',))
  table = read_classes(root / 'classes.txt')
  classes = tuple(name for name in table.names if name != _VOID)
  # Black is left out: it would hide the image below.
  palette = tuple(
      colour for colour, name in zip(table.colours, table.names, strict=False)
      if name != _VOID
  ) or colormap(len(classes) + 1)[1:]
  found = Dataset(
      'folder', classes, palette, lambda data: Folder(found, data),
      test='test' if (root / 'test.txt').exists() else '',
      source=SOURCE, originals=originals,
  )
  return found
