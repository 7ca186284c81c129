"""Which images and labels a run has, so that it does not go on with others."""

import itertools
import json
import zlib
from typing import NamedTuple

from etils import epath

from adseg_jax import files
from adseg_jax.data.dataset import Dataset
from adseg_jax.errors import UserError
from adseg_jax.wording import counted

# Names of examples, with what tells whether one has changed.
NAMES = 'examples.json'
# Stands for a split: images that a run has without labels.
UNLABELLED = 'unlabelled'


class Split(NamedTuple):
  """What a run keeps of a split: the digest is of all of it.

  Count and examples, name -> checksum of image and label, are of what the run
  uses; None where that is not known, or says nothing.
  """

  count: int | None
  digest: str
  examples: dict[str, str] | None = None


def describe(examples) -> Split:
  """The split that these Examples are of."""
  rows = zip(examples.names, examples.images, examples.labels, strict=True)
  return Split(len(examples), examples.digest, {
      name: f'{zlib.crc32(label, zlib.crc32(image)):08x}'
      for name, image, label in rows
  })


def read(workdir: epath.Path, record: dict) -> dict[str, Split]:
  """Name -> Split of a run's record; none where an older one has none."""
  try:
    names = json.loads((workdir / NAMES).read_text())
  except (OSError, ValueError):
    names = {}
  return {
      name: Split(one['count'], one['digest'], names.get(name))
      for name, one in record.get('splits', {}).items()
  }


def write(workdir: epath.Path, splits: dict[str, Split]) -> dict:
  """Writes the names of the examples; returns what the record keeps."""
  names = {name: one.examples for name, one in splits.items()}
  files.write(workdir / NAMES, json.dumps(names, indent=0).encode())
  return {
      name: {'count': one.count, 'digest': one.digest}
      for name, one in splits.items()
  }


def check_classes(record: dict, dataset: Dataset, where: str):
  """Refuses a data set whose classes are not those of a run's record.

  Raises:
    UserError: `where` the run is, and the first class that differs.
  """
  then = record.get('dataset', {}).get('classes', dataset.classes)
  pairs = itertools.zip_longest(then, dataset.classes, fillvalue='none')
  for place, (old, new) in enumerate(pairs):
    if old != new:
      raise UserError(
          f'{where}: its run has other classes than data set {dataset.name} '
          f'has now (class {place} was {old}, is {new}): bring the classes and '
          'labels of the run back, or train another run'
      )


def difference(name: str, then: Split, now: Split) -> str:
  """What of a split has changed, in words; '' where nothing has."""
  if then.digest == now.digest:
    return ''
  if then.count is None:
    return f'split {name}'
  examples = counted(then.count, 'example')
  words = f'split {name}: {examples} then, {now.count} now'
  if then.examples is None or now.examples is None:
    return words
  for example in sorted({*then.examples, *now.examples}):
    old, new = then.examples.get(example), now.examples.get(example)
    if old != new:
      how = 'is new' if old is None else 'is gone' if new is None else 'differs'
      return f'{words}; {example} {how}'
  return words


def common(one: Split | None, other: Split) -> int:
  """How many examples two splits share, as far as they are known."""
  if one is None or one.examples is None:
    return 0
  return len(one.examples.items() & other.examples.items())


def same_names(then: Split, now: Split) -> bool:
  """Whether files were replaced at most, none came and none went."""
  if then.examples is None or now.examples is None:
    return then.count == now.count
  return then.examples.keys() == now.examples.keys()
