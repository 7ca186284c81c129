"""Training images that keep their labels, and images that have none.

Those are Examples, too, whose labels are blank: 0 in all of the image, so that
a training crop tells by void what of it lies beyond.
"""

import functools
import hashlib
import itertools
from pathlib import Path

import numpy as np

from adseg_jax.config import Data, Experiment
from adseg_jax.data import pictures, shares
from adseg_jax.data.dataset import Dataset
from adseg_jax.data.examples import Examples, gather, load
from adseg_jax.data.labels import encode
from adseg_jax.data.threads import in_threads
from adseg_jax.errors import UserError

# Before the names of images that are of no split, which may be those of one.
PREFIX = 'unlabelled/'


def divide(
    dataset: Dataset, training: Examples, experiment: Experiment
) -> tuple[Examples, Examples | None]:
  """(training images with labels, images without), as the settings say.

  Args:
    dataset: the data set.
    training: its training split; it is used up.
    experiment: its data, seed and `unlabelled`.

  Returns:
    No images without labels where nothing is to be learnt from them.

  Raises:
    UserError: none is left with a label, or none without that is needed; a
      file can't be read; the data set has no such split.
  """
  data, teaches = experiment.data, experiment.unlabelled.teaches
  places = shares.kept(training.names, data.labelled, experiment.seed)
  others = _unlabelled(dataset, training, places, data) if teaches else None
  return _only(training, places), others


def labelled(training: Examples, experiment: Experiment) -> Examples:
  """The training images with labels alone; `training` is used up."""
  return _only(training, shares.kept(
      training.names, experiment.data.labelled, experiment.seed
  ))


def _only(examples: Examples, places: list[int]) -> Examples:
  return examples if len(places) == len(examples) else examples.keep(places)


def _unlabelled(dataset, training: Examples, places, data: Data) -> Examples:
  """All other images of the split, then those of another, then the folder's."""
  others = sorted(set(range(len(training))) - set(places))
  examples, _ = gather(itertools.chain(
      _losing(training, others), _of_split(dataset, data), _of_folder(data)
  ))
  if not examples.names:
    raise UserError(
        f'--data.labelled is {data.labelled:g}: all {len(training)} training '
        'images keep their labels, and none is unlabelled: give less, or a '
        'folder as --data.unlabelled'
    )
  return examples


def _losing(examples: Examples, places):
  """Yields the examples at these places without their labels."""
  for place in places:
    yield (
        examples.names[place], examples.images[place],
        _blank(*pictures.size(examples.labels[place])), examples.digest,
    )


def _of_split(dataset: Dataset, data: Data):
  """Yields the images of the split that has no use for its labels."""
  if data.unlabelled_split:
    examples = load(dataset, data.unlabelled_split, data)
    yield from _losing(examples, range(len(examples)))


def _of_folder(data: Data):
  """Yields the images in the folder, read as those with labels are."""
  found = shares.pictures(data.unlabelled, data.limit)
  return in_threads(lambda item: _read(*item, data.size), found.items())


def _read(name: str, path: Path, size: tuple[int, int]):
  try:
    content = path.read_bytes()
    file, (width, height), _ = pictures.whole(content)
  except (pictures.Unreadable, OSError) as error:
    raise UserError(
        f"{path}: the image can't be read, replace it: {error}"
    ) from error
  if any(size):
    height, width = size
    file = pictures.resized(file, size)
  return (
      PREFIX + name, file, _blank(height, width),
      hashlib.sha256(content).hexdigest(),
  )


@functools.cache
def _blank(height: int, width: int) -> bytes:
  return encode(np.zeros((height, width), np.uint8))
