"""Scores of label maps: one confusion matrix, divided once."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from adseg_jax.evaluation.boundary import boundary_f1
from adseg_jax.evaluation.measures import ratio

__all__ = ['Scores', 'boundary_f1', 'confusion_matrix', 'scores']


def confusion_matrix(
    predictions: jax.Array, labels: jax.Array, num_classes: int, void: int = 255
) -> jax.Array:
  """Counts pixels by true and predicted class.

  Matrices of batches and devices add up; add them on the host in int64, since
  int32 holds 2^31 - 1 pixels only. A pixel whose label or prediction is none
  of the classes is left out, as a void pixel is: it has no cell.

  Args:
    predictions: class of every pixel, any integer type, any shape.
    labels: true class of every pixel, shaped like the predictions.
    num_classes: number of classes, C; static under jit.
    void: label of the pixels to leave out.

  Returns:
    int32 [C,C], rows: truth, columns: prediction.
  """
  # Labels arrive as uint8, in which label * C would wrap around.
  truth = jnp.asarray(labels).astype(jnp.int32).ravel()
  predicted = jnp.asarray(predictions).astype(jnp.int32).ravel()
  inside = (
      (truth >= 0) & (truth < num_classes)
      & (predicted >= 0) & (predicted < num_classes) & (truth != void)
  )
  cells = num_classes * num_classes
  index = jnp.where(inside, truth * num_classes + predicted, cells)
  counts = jnp.bincount(index, length=cells + 1)[:cells]
  return counts.reshape(num_classes, num_classes).astype(jnp.int32)


@dataclasses.dataclass(frozen=True)
class Scores:
  """What a confusion matrix says; ratios are in 0 to 1, nan where undefined.

  With n_ij pixels of class i that were predicted as j, t_i = sum_j n_ij and
  p_i = sum_j n_ji (Long et al. 2015):

  Attributes:
    pixel_accuracy: sum_i n_ii / sum_i t_i.
    class_accuracy: mean of `accuracy` over the classes of the truth.
    mean_iou: mean of `iou` over the classes of truth or prediction.
    frequency_weighted_iou: mean of `iou`, weighted by t_i.
    iou: n_ii / (t_i + p_i - n_ii), float64 [C]. A class that is predicted but
      never true has IoU 0 and counts; one in neither map is nan and does not.
    accuracy: n_ii / t_i, float64 [C].
    precision: n_ii / p_i, float64 [C].
    pixels: t_i, int64 [C].
  """

  pixel_accuracy: float
  class_accuracy: float
  mean_iou: float
  frequency_weighted_iou: float
  iou: np.ndarray
  accuracy: np.ndarray
  precision: np.ndarray
  pixels: np.ndarray

  @property
  def means(self) -> dict[str, float]:
    """Those that are one number."""
    return {
        name: value for name, value in vars(self).items()
        if isinstance(value, float)
    }


def _mean(values, weights=None):
  """Mean over what is not nan; nan if nothing is left."""
  known = ~np.isnan(values)
  weights = np.ones(len(values)) if weights is None else weights
  return float(ratio(values[known] @ weights[known], weights[known].sum()))


def scores(confusion: np.ndarray) -> Scores:
  """Scores of a confusion matrix [C,C] of counts, rows: truth; on the host."""
  confusion = np.asarray(confusion, np.int64)
  hits, pixels = np.diagonal(confusion), confusion.sum(1)
  predicted = confusion.sum(0)
  iou = ratio(hits, pixels + predicted - hits)
  accuracy = ratio(hits, pixels)
  return Scores(
      pixel_accuracy=float(ratio(hits.sum(), pixels.sum())),
      class_accuracy=_mean(accuracy),
      mean_iou=_mean(iou),
      frequency_weighted_iou=_mean(iou, pixels),
      iou=iou,
      accuracy=accuracy,
      precision=ratio(hits, predicted),
      pixels=pixels,
  )
