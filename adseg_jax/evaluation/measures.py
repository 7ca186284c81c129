"""All measures of one image, as sums and counts that images add up to.

Worker processes import this module: it must need neither JAX nor TensorFlow.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from adseg_jax.evaluation.boundary import (
    boundary_overlap,
    outlines,
    without_void,
)
from adseg_jax.evaluation.components import ERRORS, component_errors

# What is measured of single images, and averaged over them.
SINGLE = 'boundary_f1', 'hausdorff_95', *ERRORS
# These and what sums give, for a person.
OUTLINES = {
    'boundary_f1': 'boundary F1', 'boundary_iou': 'boundary IoU',
    'hausdorff_95': '95 % Hausdorff distance, pixels',
    **{name: name.replace('_', ' ') for name in ERRORS},
}


class Measured(NamedTuple):
  """What images add to the scores: sums and counts.

  Attributes:
    confusion: int64 [C,C], rows: truth.
    overlap: int64 [2,C], as `boundary_overlap` gives it.
    single: float64 [2,6,C+1]: for each of SINGLE and each class the sum of
      what is known, and of how many images it is known; last, the same of an
      image's mean over its classes.
  """

  confusion: np.ndarray
  overlap: np.ndarray
  single: np.ndarray


def count(prediction, label, num_classes: int, void: int = 255):
  """Confusion matrix of label maps [H,W], int64 [C,C], rows: truth."""
  valid = label != void
  cells = label[valid].astype(np.int64) * num_classes + prediction[valid]
  counts = np.bincount(cells, minlength=num_classes**2)
  return counts.reshape(num_classes, num_classes)


def measure(prediction, label, num_classes: int, void: int = 255) -> Measured:
  """All measures of one image's label maps [H,W]."""
  # Once for all: the search for what is nearest to void takes a while.
  filled = without_void(prediction, label, void)
  values = np.stack([
      *outlines(*filled, num_classes, void=void),
      *component_errors(*filled, num_classes, void),
  ])
  return Measured(
      count(prediction, label, num_classes, void),
      boundary_overlap(prediction, label, num_classes, void=void),
      _sums(np.column_stack([values, ratio(*_sums(values).sum(2))])),
  )


def _sums(values):
  """What is known of values, and 1 where one is; 0 elsewhere."""
  known = ~np.isnan(values)
  return np.stack([np.where(known, values, 0), known])


def ratio(part, whole) -> np.ndarray:
  """float64; nan where the whole is 0."""
  part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
  return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def added(measured: Iterable[Measured]) -> Measured:
  """What images add together, one at least."""
  return Measured(*map(sum, zip(*measured, strict=True)))
