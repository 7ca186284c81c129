"""Scores of a trained segmentor on a split, every image at its own size."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from adseg_jax.data.pictures import decode
from adseg_jax.evaluation.inference import Views
from adseg_jax.evaluation.metrics import Scores, scores
from adseg_jax.evaluation.predict import predictions
from adseg_jax.evaluation.trained import Trained
from adseg_jax.evaluation.workers import Measured, count, measuring


class Report(NamedTuple):
  """Scores of a data set.

  Attributes:
    scores: what the confusion matrix says.
    confusion: int64 [C,C], rows: truth.
    boundary_f1: mean over the images that have a class, float64 [C].
    mean_boundary_f1: mean over images of the mean over their classes (Csurka
      et al. 2013).
    boundary_iou: rims' intersection over their union, float64 [C].
    mean_boundary_iou: mean over the classes.
  """

  scores: Scores
  confusion: np.ndarray
  boundary_f1: np.ndarray
  mean_boundary_f1: float
  boundary_iou: np.ndarray
  mean_boundary_iou: float


def summarize(measured: list[Measured]) -> Report:
  """The scores of all images together."""
  confusion = sum(one.confusion for one in measured)
  single = np.stack([one.boundary_f1 for one in measured])
  both, either = sum(one.overlap for one in measured)
  iou = np.divide(
      both, either, out=np.full(len(both), np.nan), where=either > 0
  )
  return Report(
      scores(confusion), confusion, _known_mean(single, 0),
      float(_known_mean(_known_mean(single, 1), 0)), iou,
      float(_known_mean(iou, 0)),
  )


def _known_mean(values, axis):
  """Mean over what is not nan; nan where nothing is left."""
  known = ~np.isnan(values)
  count = known.sum(axis)
  total = np.where(known, values, 0).sum(axis)
  return np.divide(
      total, count, out=np.full(np.shape(count), np.nan), where=count > 0
  )[()]


def compared(trained: Trained, examples, views: Views, batch: int):
  """Yields (index, prediction, label), uint8 [H,W], of every example, once.

  Args:
    trained: the segmentor.
    examples: Examples at their own sizes.
    views: how they are seen.
    batch: images or windows per call.
  """
  found = predictions(
      trained, [_size(label) for label in examples.labels],
      lambda index: decode(examples.images[index], 'RGB'), views, batch,
  )
  for index, _, prediction in found:
    yield index, prediction, decode(examples.labels[index], 'L')


def _size(label: bytes) -> tuple[int, int]:
  with Image.open(io.BytesIO(label)) as picture:
    return picture.size[::-1]


def confusion(trained: Trained, examples, batch: int, keep=(), poll=None):
  """Confusion matrix of a segmentor on examples.

  Args:
    trained: the segmentor.
    examples: Examples at their own sizes.
    batch: images per call.
    keep: indices of examples whose prediction is wanted.
    poll: called for each image; what it raises ends the evaluation.

  Returns:
    (int64 [C,C], rows truth; {index: prediction uint8 [H,W]} of `keep`).
  """
  classes = len(trained.classes)
  total, kept = np.zeros((classes, classes), np.int64), {}
  for index, prediction, label in compared(trained, examples, Views(), batch):
    if poll:
      poll()
    total += count(prediction, label, classes)
    if index in keep:
      kept[index] = prediction
  return total, kept


def score(trained: Trained, examples, views: Views, batch: int, track=iter):
  """The Report of a segmentor on examples.

  Args:
    trained: the segmentor.
    examples: Examples at their own sizes.
    views: how they are seen.
    batch: images or windows per call.
    track: wraps the iterator over images, such as a progress bar.
  """
  with measuring(len(trained.classes)) as (submit, results):
    for _, *maps in track(compared(trained, examples, views, batch)):
      submit(*maps)
    return summarize(results())
