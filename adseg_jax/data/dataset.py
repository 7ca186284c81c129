"""What the rest of the package needs to know about a data set."""

import dataclasses
import importlib
from collections.abc import Callable, Mapping

from adseg_jax import config
from adseg_jax.errors import UserError

VOID = 255

# Name on the command line -> module that holds its `DATASET`, or, where the
# classes are in the files, a function `dataset`. A module is imported when its
# data set is asked for: TensorFlow is slow to import.
MODULES = {
    name: f'adseg_jax.data.{name}'
    for name in (
        'earth', 'camvid', 'stanford_background', 'voc2012', 'cityscapes',
        'oxford_iiit_pet', 'folder', 'earth_domains', 'jsrt',
    )
}


@dataclasses.dataclass(frozen=True)
class Source:
  """Where a data set's files come from."""

  homepage: str  # where to get them; '' for a person's own
  licence: str  # what may be done with them
  layout: str  # what is expected in the folder --data.root, on one line


@dataclasses.dataclass(frozen=True)
class Dataset:
  """A data set's classes and where its examples come from."""

  name: str  # as on the command line
  classes: tuple[str, ...]  # names; the index is the label
  palette: tuple[tuple[int, int, int], ...]  # red, green and blue, 0 to 255
  # config.Data -> a TFDS builder, where there are no `originals`. Its features
  # are 'image' (uint8 [H,W,3], a JPEG or PNG file), 'label' (uint8 [H,W,1], an
  # 8-bit grey PNG file of class ids, 255 is void) and 'name' (text). It raises
  # UserError where files are missing. `data.prepared` is its data_dir.
  builder: Callable | None = None
  train: str = 'train'  # split to train on, unless config.Data names another
  validation: str = 'validation'  # split to evaluate during training
  test: str = ''  # split to evaluate once, at the end; '' where there is none
  # Returns one large image of the whole data set, where there is one: (image
  # uint8 [H,W,3], label uint8 [H,W], caption).
  overview: Callable | None = None
  source: Source | None = None  # None where files come with a package
  # config.Data -> Originals, where this package reads the original files
  # itself. It raises UserError where they are missing.
  originals: Callable | None = None
  # Images of each split of the whole data set, where that is known.
  counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
  # The builder's names for name, image and label.
  features: tuple[str, str, str] = ('name', 'image', 'label')
  folds: int = 0  # parts that config.Data.fold chooses from; 0: none
  # Class of each of the 256 values of the builder's labels; None: they are ids.
  ids: tuple[int, ...] | None = None


def find(data: config.Data) -> Dataset:
  """The data set that the settings name.

  Raises:
    UserError: no data set has that name, its classes can't be read, or it has
      no such fold.
  """
  if data.name not in MODULES:
    raise UserError(
        f'--data.name {data.name}: no such data set; known: '
        f'{", ".join(MODULES)}; one of your own is known where its script is '
        'imported'
    )
  module = importlib.import_module(MODULES[data.name])
  found = module.dataset(data) if data.name == 'folder' else module.DATASET
  if not 0 <= data.fold < max(found.folds, 1):
    raise UserError(f'--data.fold is {data.fold}: ' + (
        f'give 0 to {found.folds - 1}' if found.folds
        else f'data set {data.name} has no folds: give neither it nor --folds'
    ))
  return found


def limited(rows, limit: int):
  """At most `limit` of the rows, evenly spread; 0: all of them."""
  if not limit or limit >= len(rows):
    return rows
  return [rows[place * len(rows) // limit] for place in range(limit)]


def shorten(names, shown: int = 5) -> str:
  """The first names, and how many more there are."""
  names = list(map(str, names))
  rest = len(names) - shown
  return ', '.join(names[:shown]) + (f' and {rest} more' if rest > 0 else '')


def colormap(count: int) -> tuple[tuple[int, int, int], ...]:
  """The first colours of PASCAL VOC's palette: black, maroon, green, ...

  Bit 3k of the index is bit 7-k of red, the next two are green's and blue's
  (VOCcolormap of the VOC development kit).
  """
  return tuple(
      tuple(
          sum((index >> 3 * k + part & 1) << 7 - k for k in range(3))
          for part in range(3)
      )
      for index in range(count)
  )
