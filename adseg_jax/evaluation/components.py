"""Components and holes of a label map that should not be there, or are missing.

Worker processes import this module: it must need neither JAX nor TensorFlow.
"""

import numpy as np
from scipy import ndimage

from adseg_jax.evaluation.boundary import cropped, without_void

ERRORS = (
    'spurious_components', 'missing_components', 'spurious_holes',
    'missing_holes',
)
_EIGHT = np.ones((3, 3))


def component_errors(
    prediction: np.ndarray, label: np.ndarray, num_classes: int, void: int = 255
) -> np.ndarray:
  """Counts the ERRORS of every class of one image.

  A component is a region of a class, connected over eight neighbours; a hole
  is a region of other classes, connected over four, that the class encloses
  (Rosenfeld 1970: with eight for both, a diagonal line would let through what
  it encloses). One in the prediction is spurious if it has no pixel in common
  with the truth's components of that class, or with its holes; one in the
  truth is missing if it has none in common with the prediction's. These are
  the false positives and negatives of Chan et al. (2021, SegmentMeIfYouCan)
  at a threshold of 0, and for holes as well, which Hu et al. (2019) count
  without their places. Void is filled as in `boundary_f1`, whose arguments and
  errors are these, too.

  Returns:
    float64 [4,C], a row for each of ERRORS; nan where all is void.
  """
  prediction, label = without_void(prediction, label, void)
  if np.all(label == void):
    return np.full((len(ERRORS), num_classes), np.nan)
  found = np.zeros((len(ERRORS), num_classes))
  for index in range(num_classes):
    # In a frame that is of no class: what surrounds a class is no hole.
    guess, truth = (
        np.pad(mask, 1)
        for mask in cropped(prediction == index, label == index)
    )
    found[:2, index] = _unmatched(
        ndimage.label(guess, _EIGHT), ndimage.label(truth, _EIGHT)
    )
    found[2:, index] = _unmatched(_holes(guess), _holes(truth))
  return found


def _holes(mask):
  """(number of each pixel's hole, 0 for none; how many there are)."""
  numbers, count = ndimage.label(~mask)
  # What surrounds all comes first.
  return np.maximum(numbers - 1, 0), count - 1


def _unmatched(guessed, true) -> tuple[int, int]:
  """How many regions of each have no pixel in one of the other's."""
  return _alone(*guessed, true[0]), _alone(*true, guessed[0])


def _alone(numbers, count: int, others) -> int:
  met = np.zeros(count + 1, bool)
  met[numbers[others > 0]] = True
  return count - int(met[1:].sum())
