"""A person's own images: a folder with images/, labels/ and classes.txt.

Labels are PNGs of the images' names, or other files without loss. classes.txt
names a class on each line, the first for the value 0; a line `void` stands for
values that are no class, as 255 always is. Where every line ends in a red, a
green and a blue of 0 to 255, as in `road 128 64 128`, labels are read by their
colours, whatever the mode of their files; otherwise their values or indices
are the ids. `classes`, `meaning` and `layouts` say what else is read.

Splits: train.txt, validation.txt and, if wanted, test.txt with a name on each
line, or folders named after them; without either, `data.held_out` of the
images validates.
"""

import hashlib
from pathlib import Path

from adseg_jax import config
from adseg_jax.data.classes import Table, read_classes
from adseg_jax.data.dataset import Dataset, Source, colormap
from adseg_jax.data.layouts import Layout, find_classes, find_layout, missing
from adseg_jax.data.meaning import Meaning
from adseg_jax.data.originals import Originals, find_root, pair
from adseg_jax.errors import UserError

SOURCE = Source(
    homepage='', licence='',
    layout='images/, labels/ with PNGs of equal names, classes.txt with a '
    'class on each line, optionally with its colour (`road 128 64 128`); '
    'optionally train.txt, validation.txt and test.txt',
)


def dataset(data: config.Data) -> Dataset:
  """The data set in `data.root`, with the classes that it names.

  Raises:
    UserError: the folder or its classes.txt is missing or wrong.
  """
  _, table, layout = _find(data)
  # Black is left out: it would hide the image below.
  palette = table.palette or colormap(len(table.classes) + 1)[1:]
  return Dataset(
      'folder', table.classes, palette,
      test='test' if 'test' in layout.splits else '',
      source=SOURCE, originals=originals,
  )


def originals(data: config.Data) -> Originals:
  """The files in `data.root`.

  Raises:
    UserError: something is missing, or a list or classes.txt is wrong.
  """
  root, table, layout = _find(data)
  images, labels = layout.images, layout.labels
  if layout.splits:
    # What is in no split is not used.
    used = set().union(*layout.splits.values())
    images = {name: images[name] for name in images.keys() & used}
    labels = {name: labels[name] for name in labels.keys() & used}
  records, unpaired = pair(images, labels, root)
  splits = layout.splits or _divided([r.name for r in records], data.held_out)
  members = {split: set(names) for split, names in splits.items()}
  paths = tuple(record.label for record in records)
  meaning = Meaning(table, paths, root)
  return Originals(
      root,
      {
          split: tuple(record for record in records if record.name in names)
          for split, names in members.items()
      },
      meaning.read,
      (*layout.faults, *unpaired),
      options=repr((table.names, table.colours, table.values)),
      deciding=paths,
      said=lambda: (meaning.said(), *layout.said),
  )


def _find(data: config.Data) -> tuple[Path, Table, Layout]:
  """The folder, its classes, and what lies where."""
  root = find_root(data, 'folder', SOURCE, ())
  path = find_classes(root)
  layout = path and find_layout(root)
  if not layout:
    raise UserError(
        f'data set folder: missing in {root}: '
        f'{", ".join(missing(root)) or "pictures"}; give their folder as '
        f'--data.root; expected there: {SOURCE.layout}'
    )
  return root, read_classes(path), layout


def _divided(names, share: float) -> dict[str, list[str]]:
  """A part for validation that depends on the names alone."""
  ranked = sorted(
      names, key=lambda name: hashlib.sha256(name.encode()).digest()
  )
  count = max(1, round(share * len(ranked)))
  return {'train': ranked[count:], 'validation': ranked[:count]}
