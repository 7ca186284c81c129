"""What training refuses: one example after the other, then all together."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from adseg_jax.data import labels, pictures
from adseg_jax.data.dataset import VOID, Dataset
from adseg_jax.data.labels import BadFile, Label, strange_ids
from adseg_jax.data.originals import Fault, Originals
from adseg_jax.data.threads import in_threads

UNREADABLE_IMAGE = 'images that cannot be read'
SIZES = 'sizes that differ'
PALETTES = 'palettes that differ'
BLACK_AND_WHITE = 'labels in black and white'


class Reading(NamedTuple):
  """An image and its label as read; what can't be read is empty or None."""

  name: str
  image: bytes  # what training reads: an encoded JPEG or PNG file
  size: tuple[int, int] | None  # width and height of the image
  label: Label | None
  faults: tuple[Fault, ...]  # what is wrong with the two
  turned: bool = False  # whether an EXIF tag has turned the image


@dataclasses.dataclass
class Tally:
  """What a split holds."""

  images: int
  sizes: Counter  # how many of each (width, height)
  pixels: np.ndarray  # of each class, int64 [C]
  void: int = 0  # pixels


def readings(dataset: Dataset, originals: Originals, split: str):
  """Yields a Reading for each example of a split, in order."""
  return in_threads(
      lambda record: read(
          dataset, record.name,
          lambda: pictures.whole(record.image.read_bytes()),
          lambda: originals.read_label(record.label),
      ),
      originals.splits[split],
  )


def read(dataset: Dataset, name: str, image, label) -> Reading:
  """Reads an example and looks for what training would misread in silence.

  Args:
    dataset: for its classes.
    name: of the example.
    image: function that returns a Plain; may raise Unreadable or OSError.
    label: function that returns a Label; may raise BadFile.
  """
  where, faults, ids = f'example {name}', [], None
  encoded, size, turned = b'', None, False
  try:
    encoded, size, turned = image()
  except (pictures.Unreadable, OSError) as error:
    faults.append(Fault(
        UNREADABLE_IMAGE, where,
        f"the image can't be read, replace it: {error}"
    ))
  try:
    ids = label()
    faults += _misfits(len(dataset.classes), where, size, ids.ids, turned)
  except BadFile as bad:
    faults.append(Fault(bad.kind, where, bad.detail))
  return Reading(name, encoded, size, ids, tuple(faults), turned)


def _misfits(
    count: int, where: str, size, ids: np.ndarray, turned: bool
) -> Iterator[Fault]:
  """Yields how a label does not fit `count` classes or the upright image."""
  height, width = ids.shape
  if size not in (None, (width, height)):
    image, label = f'{size[0]}x{size[1]}', f'{width}x{height}'
    if size != (height, width):
      detail = (
          f'the image has {image} pixels, the label {label}; they must be equal'
      )
    elif turned:
      detail = (
          f'an EXIF tag turns the image to {image} pixels, but the label, '
          f'{label}, fits it only as it was before: turn the label, too, or '
          'store the image without the tag'
      )
    else:
      detail = (
          f'the label, {label}, fits the image, {image}, only after a quarter '
          'turn: turn it, or take away an EXIF tag that has turned it'
      )
    yield Fault(SIZES, where, detail)
  wrong = strange_ids(ids, count, f'the data set has {count} classes')
  if wrong:
    yield Fault(labels.STRANGE_IDS, where, wrong)


class Inspection:
  """Collects what is wrong with examples, and what they hold."""

  def __init__(self, dataset: Dataset, splits: Iterable[str]):
    self.dataset = dataset
    self.faults: list[Fault] = []
    self.tallies = {
        split: Tally(0, Counter(), np.zeros(len(dataset.classes), np.int64))
        for split in splits
    }
    self.turned: list[str] = []
    self._colours = {}  # id -> its colour in a palette, and where

  def add(self, split: str, reading: Reading) -> list[Fault]:
    """Counts an example; returns what is wrong with it."""
    tally = self.tallies[split]
    tally.images += 1
    tally.sizes[reading.size] += 1
    if reading.turned:
      self.turned.append(reading.name)
    faults = list(reading.faults)
    if reading.label is not None:
      ids = reading.label.ids
      count = np.bincount(ids[(ids >= 0) & (ids <= 255)], minlength=256)
      tally.pixels += count[:len(tally.pixels)]
      tally.void += int(count[VOID])
      faults += self._other_colours(reading)
    self.faults += faults
    return faults

  def _other_colours(self, reading):
    """An index that means another colour than in an earlier file."""
    for index, colour in reading.label.colours:
      first, name = self._colours.setdefault(index, (colour, reading.name))
      if colour != first:
        yield Fault(
            PALETTES, f'example {reading.name}', f'index {index} has the '
            f'colour {colour} in its palette, but {first} in example {name}: '
            'is it the same class?'
        )
        return

  def end(self) -> list[Fault]:
    """What is wrong with all examples together."""
    faults = []
    total = sum(tally.pixels for tally in self.tallies.values())
    void = sum(tally.void for tally in self.tallies.values())
    if len(total) == 2 and void and total[0] and not total[1]:
      faults.append(Fault(
          BLACK_AND_WHITE, 'all labels', f'they hold only 0 and {VOID}, but '
          f'{VOID} is void: store the class {self.dataset.classes[1]} as 1, '
          'or give the classes colours (`thing 255 255 255`)'
      ))
    self.faults += faults
    return faults
