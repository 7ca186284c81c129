"""Boundary measures of one image's label map, on the host.

Worker processes import this module: it needs NumPy and SciPy, and must not
need JAX or TensorFlow, which take seconds and memory.
"""

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree


def _boundary(mask: np.ndarray) -> np.ndarray:
  """Pixels of a mask with one of four neighbours outside it.

  The picture's frame is no boundary: every map would match it for free.
  """
  padded = np.pad(mask, 1, mode='edge')
  inner = padded[:-2, 1:-1] & padded[2:, 1:-1]
  return mask & ~(inner & padded[1:-1, :-2] & padded[1:-1, 2:])


def cropped(guess: np.ndarray, truth: np.ndarray):
  """Both masks where one of them is set, and a pixel around, if there is one.
  """
  either = guess | truth
  rows, columns = either.any(1).nonzero()[0], either.any(0).nonzero()[0]
  place = tuple(
      slice(max(found[0] - 1, 0), found[-1] + 2) if found.size else slice(0)
      for found in (rows, columns)
  )
  return guess[place], truth[place]


def _distances(guess: np.ndarray, truth: np.ndarray, worst: float):
  """Of each mask's boundary, every pixel's distance to the other's boundary.

  None where neither mask is set. As far as can be where only one is, or where
  only one has a boundary; 0 where both fill the picture.
  """
  guess, truth = cropped(guess, truth)
  if not guess.size:
    return None
  edges = [np.argwhere(_boundary(mask)) for mask in (guess, truth)]
  if all(map(len, edges)):
    return [
        cKDTree(edges[1 - side]).query(edges[side])[0] for side in range(2)
    ]
  return [np.array([0.0 if guess.all() and truth.all() else worst])] * 2


def _f1(distances, reach: float) -> float:
  if distances is None:
    return np.nan
  precision, recall = (float(np.mean(each <= reach)) for each in distances)
  both = precision + recall
  return 2 * precision * recall / both if both else 0.0


def _farthest(distances, share: float) -> float:
  if distances is None:
    return np.nan
  return max(float(np.quantile(each, share)) for each in distances)


def without_void(prediction, label, void: int = 255):
  """Both maps [H,W] with void pixels as the nearest other one is.

  Where all is void, both are.

  Raises:
    ValueError: their shapes differ.
  """
  prediction, label = np.asarray(prediction), np.asarray(label)
  if prediction.shape != label.shape:
    raise ValueError(f'shapes differ: {prediction.shape} and {label.shape}')
  hidden = label == void
  if not hidden.any():
    return prediction, label
  if hidden.all():
    return label, label
  nearest = tuple(ndimage.distance_transform_edt(
      hidden, return_distances=False, return_indices=True
  ))
  return prediction[nearest], label[nearest]


def boundary_f1(
    prediction: np.ndarray, label: np.ndarray, num_classes: int,
    tolerance: float = 0.0075, void: int = 255,
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
  return outlines(prediction, label, num_classes, tolerance, void=void)[0]


def hausdorff(
    prediction, label, num_classes: int, share: float = 0.95, void: int = 255
) -> np.ndarray:
  """Hausdorff distance of every class of one image, but for outliers.

  The larger of two distances: that within which a share of the predicted
  boundary's pixels lie of the true one, and the reverse (Huttenlocher et al.
  1993; a share of 0.95 as in Menze et al. 2015). Boundaries and void are those
  of `boundary_f1`. Where one map has a class, or its boundary, and the other
  has not, it is the image's diagonal: leaving a class out is no gain.

  Arguments and errors are those of `boundary_f1`; a share of 1 is the Hausdorff
  distance itself.

  Returns:
    float64 [C], in pixels; nan where a class is in neither map.
  """
  return outlines(prediction, label, num_classes, share=share, void=void)[1]


def outlines(
    prediction, label, num_classes: int, tolerance=0.0075, share=0.95, void=255
) -> np.ndarray:
  """`boundary_f1` and `hausdorff`, float64 [2,C], in the time of one."""
  prediction, label = without_void(prediction, label, void)
  diagonal = np.hypot(*label.shape)
  found = [
      _distances(prediction == index, label == index, diagonal)
      for index in range(num_classes)
  ]
  return np.array([
      [_f1(one, tolerance * diagonal) for one in found],
      [_farthest(one, share) for one in found],
  ])


def _rim(mask: np.ndarray, width: int) -> np.ndarray:
  """Pixels of a mask at most `width` from outside it, diagonals count 1.

  Outside the picture is outside the mask, as in the authors' code.
  """
  padded = np.pad(mask, 1)
  distance = ndimage.distance_transform_cdt(padded, 'chessboard')
  return mask & (distance[1:-1, 1:-1] <= width)


def boundary_overlap(
    prediction, label, num_classes: int, width: float = 0.02, void: int = 255
) -> np.ndarray:
  """Pixels that boundary IoU divides (Cheng et al. 2021), of one image.

  Of each class's region only the rim counts: its pixels within a distance of
  its outline. Boundary IoU is the rims' intersection over their union; sums
  over images give the data set's. Void pixels shape the rims as in
  `boundary_f1`, and are not counted.

  Arguments and errors are those of `boundary_f1`; the width of the rim is a
  fraction of the image's diagonal, rounded to at least a pixel; theirs is 0.02.

  Returns:
    int64 [2,C]: pixels in the intersection and in the union.
  """
  valid = np.not_equal(label, void)
  if not valid.any():
    return np.zeros((2, num_classes), np.int64)
  prediction, label = without_void(prediction, label, void)
  pixels = max(1, round(width * np.hypot(*label.shape)))
  counts = np.zeros((2, num_classes), np.int64)
  for index in range(num_classes):
    guess = _rim(prediction == index, pixels) & valid
    truth = _rim(label == index, pixels) & valid
    counts[:, index] = (guess & truth).sum(), (guess | truth).sum()
  return counts
