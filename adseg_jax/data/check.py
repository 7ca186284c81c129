"""Looks at every example of a data set, for what training refuses."""

import dataclasses
from typing import NamedTuple

import numpy as np

from adseg_jax import config
from adseg_jax.data import pictures
from adseg_jax.data.dataset import Dataset, shorten
from adseg_jax.data.inspection import Inspection, Tally, read, readings
from adseg_jax.data.labels import read_stored
from adseg_jax.data.originals import Fault
from adseg_jax.data.threads import in_threads
from adseg_jax.wording import counted

# Examples that are kept to be shown: of each split, and with a fault.
SHOWN = 6
SHOWN_FAULTY = 12


class Sample(NamedTuple):
  """An example to show."""

  split: str
  name: str
  image: bytes  # encoded
  ids: np.ndarray  # [H,W]
  faults: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Findings:
  """What a check found."""

  dataset: Dataset
  place: str  # where its files are
  tallies: dict[str, Tally]  # of each split
  faults: tuple[Fault, ...]  # what training refuses
  warnings: tuple[str, ...]  # what it accepts, but a person should know
  samples: tuple[Sample, ...]
  said: tuple[str, ...] = ()  # how original files were understood, a line each


def check(dataset: Dataset, data: config.Data) -> Findings:
  """Reads all that a data set holds.

  Original files are read where they lie; of other data sets the prepared
  copy is read, after it was prepared if needed.

  Raises:
    UserError: there is nothing to read.
  """
  place, listed, splits, said = _splits(dataset, data)
  inspection = Inspection(dataset, splits)
  samples, faulty = [], 0
  for split, (count, stream) in splits.items():
    step = max(1, count // SHOWN)
    for position, reading in enumerate(stream):
      wrong = inspection.add(split, reading)
      faulty += bool(wrong)
      shown = position % step == 0 and position < SHOWN * step
      if reading.image and reading.label is not None and (
          faulty <= SHOWN_FAULTY if wrong else shown
      ):
        samples.append(Sample(
            split, reading.name, reading.image,
            reading.label.ids.clip(0, 255).astype(np.uint8),
            tuple(fault.detail for fault in wrong),
        ))
  inspection.end()
  return Findings(
      dataset, place, inspection.tallies, (*listed, *inspection.faults),
      tuple(_warnings(dataset, inspection)), tuple(samples), said(),
  )


def _splits(dataset, data):
  """Where files are, what is wrong with their list, splits, what is said.

  A split is its number of examples and an iterator over readings.
  """
  if dataset.originals is not None:
    originals = dataset.originals(data).limited(data.limit)
    return str(originals.root), originals.wrong(), {
        split: (len(records), readings(dataset, originals, split))
        for split, records in originals.splits.items()
    }, originals.said
  from adseg_jax.data.examples import stored  # imports TensorFlow

  splits = {}
  for split in filter(
      None, (dataset.train, dataset.validation, dataset.test)
  ):
    rows = sorted(stored(dataset, split, data))
    splits[split] = len(rows), in_threads(lambda row: read(
        dataset, row[0], lambda: pictures.whole(row[1]),
        lambda: read_stored(row[2]),
    ), rows)
  return str(dataset.builder(data).data_dir), (), splits, tuple


def _warnings(dataset, inspection):
  for split, tally in inspection.tallies.items():
    whole = dataset.counts.get(split, tally.images)
    if tally.images != whole:
      images = counted(tally.images, 'image')
      yield f'{split} has {images}; the whole data set {whole:,}'
    absent = [
        name for name, pixels in zip(dataset.classes, tally.pixels, strict=True)
        if not pixels
    ]
    if absent:
      yield f'no pixel of {split} is: {shorten(absent)}'
  if inspection.turned:
    yield (
        'an EXIF tag turns these images; training reads them upright, so '
        f'their labels must be upright, too: {shorten(inspection.turned)}'
    )
