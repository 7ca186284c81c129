"""Boundary measures of one image's label map, on the host.

Worker processes import this module: it needs NumPy and SciPy, and must not
need JAX or TensorFlow, which take seconds and memory.
"""

import numpy as np
from scipy import ndimage


def _boundary(mask: np.ndarray) -> np.ndarray:
  """Pixels of a mask with one of four neighbours outside it.

  The picture's frame is no boundary: every map would match it for free.
  """
  padded = np.pad(mask, 1, mode='edge')
  inner = padded[:-2, 1:-1] & padded[2:, 1:-1]
  return mask & ~(inner & padded[1:-1, :-2] & padded[1:-1, 2:])


def _matched(boundary: np.ndarray, other: np.ndarray, reach: float) -> float:
  """Share of a boundary's pixels within reach of the other boundary."""
  if not boundary.any():
    return float(not other.any())
  if not other.any():
    return 0.0
  distance = ndimage.distance_transform_edt(~other)
  return float(np.mean(distance[boundary] <= reach))


def _f1(guess: np.ndarray, truth: np.ndarray, reach: float) -> float:
  if not (guess.any() or truth.any()):
    return np.nan
  if not (guess.any() and truth.any()):
    return 0.0
  guessed, true = _boundary(guess), _boundary(truth)
  precision = _matched(guessed, true, reach)
  recall = _matched(true, guessed, reach)
  both = precision + recall
  return 2 * precision * recall / both if both else 0.0


def _without_void(prediction, label, void: int):
  """Both maps [H,W] with void pixels as the nearest other one is."""
  prediction, label = np.asarray(prediction), np.asarray(label)
  if prediction.shape != label.shape:
    raise ValueError(f'shapes differ: {prediction.shape} and {label.shape}')
  hidden = label == void
  if not hidden.any():
    return prediction, label
  nearest = tuple(ndimage.distance_transform_edt(
      hidden, return_distances=False, return_indices=True
  ))
  return prediction[nearest], label[nearest]


def boundary_f1(
    prediction: np.ndarray,
    label: np.ndarray,
    num_classes: int,
    tolerance: float = 0.0075,
    void: int = 255,
) -> np.ndarray:
  """Boundary F1 of every class of one image (Csurka et al. 2013).

  Precision is the share of the predicted boundary that lies within reach of
  the true one, recall the share of the true boundary within reach of the
  predicted one; F1 is their harmonic mean. Averaging over the classes of an
  image, then over images, gives the data set's score.

  Void pixels take, in both maps, the value of the nearest pixel that is not
  void. What was predicted there has no effect, and objects that the truth
  outlines with a void band keep their boundary, in the band's middle.

  Args:
    prediction: class of every pixel, integer [H,W].
    label: true class of every pixel, integer [H,W].
    num_classes: number of classes, C.
    tolerance: reach, as a fraction of the image's diagonal; theirs is 0.0075.
    void: label of the pixels to leave out.

  Returns:
    float64 [C]; nan where a class is in neither map, 1 where it fills both.

  Raises:
    ValueError: the maps' shapes differ.
  """
  if np.all(np.equal(label, void)):
    return np.full(num_classes, np.nan)
  prediction, label = _without_void(prediction, label, void)
  reach = tolerance * np.hypot(*label.shape)
  return np.array([
      _f1(prediction == index, label == index, reach)
      for index in range(num_classes)
  ])


def _rim(mask: np.ndarray, width: int) -> np.ndarray:
  """Pixels of a mask at most `width` from outside it, diagonals count 1.

  Outside the picture is outside the mask, as in the authors' code.
  """
  padded = np.pad(mask, 1)
  distance = ndimage.distance_transform_cdt(padded, 'chessboard')
  return mask & (distance[1:-1, 1:-1] <= width)


def boundary_overlap(
    prediction: np.ndarray,
    label: np.ndarray,
    num_classes: int,
    width: float = 0.02,
    void: int = 255,
) -> np.ndarray:
  """Pixels that boundary IoU divides (Cheng et al. 2021), of one image.

  Of each class's region only the rim counts: its pixels within a distance of
  its outline. Boundary IoU is the rims' intersection over their union; sums
  over images give the data set's. Void pixels shape the rims as in
  `boundary_f1`, and are not counted.

  Args:
    prediction: class of every pixel, integer [H,W].
    label: true class of every pixel, integer [H,W].
    num_classes: number of classes, C.
    width: of the rim, as a fraction of the image's diagonal, rounded to at
      least a pixel; theirs is 0.02.
    void: label of the pixels to leave out.

  Returns:
    int64 [2,C]: pixels in the intersection and in the union.

  Raises:
    ValueError: the maps' shapes differ.
  """
  valid = np.not_equal(label, void)
  if not valid.any():
    return np.zeros((2, num_classes), np.int64)
  prediction, label = _without_void(prediction, label, void)
  pixels = max(1, round(width * np.hypot(*label.shape)))
  counts = np.zeros((2, num_classes), np.int64)
  for index in range(num_classes):
    guess = _rim(prediction == index, pixels) & valid
    truth = _rim(label == index, pixels) & valid
    counts[:, index] = (guess & truth).sum(), (guess | truth).sum()
  return counts
