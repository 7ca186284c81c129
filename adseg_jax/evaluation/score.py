"""Scores of a trained segmentor on a split, every image at its own size."""

from typing import NamedTuple

import jax
import numpy as np

from adseg_jax.data.dataset import VOID
from adseg_jax.data.pictures import decode, size
from adseg_jax.evaluation.inference import Views
from adseg_jax.evaluation.measures import (
  OUTLINES,
  SINGLE,
  Measured,
  added,
  ratio,
)
from adseg_jax.evaluation.metrics import Scores, scores
from adseg_jax.evaluation.predict import predictions
from adseg_jax.evaluation.trained import Trained
from adseg_jax.evaluation.workers import measuring


class Report(NamedTuple):
  """Scores of a data set.

  Attributes:
    scores: what the confusion matrix says.
    confusion: int64 [C,C], rows: truth.
    classes: name of a further measure -> float64 [C]. boundary_iou is the
      rims' intersection over their union; the others, measures.SINGLE, are
      means over the images in which they are defined.
    means: 'mean_' and that name -> one number. That of boundary_iou is the mean
      over the classes, those of the others are means over images of the mean
      over their classes (as Csurka et al. 2013 take boundary F1).
  """

  scores: Scores
  confusion: np.ndarray
  classes: dict[str, np.ndarray]
  means: dict[str, float]


def summarize(measured: Measured) -> Report:
  """The scores of all images together."""
  iou = ratio(*measured.overlap)
  known = iou[~np.isnan(iou)]
  rows = dict(zip(SINGLE, ratio(*measured.single), strict=True))
  rows['boundary_iou'] = np.append(iou, ratio(known.sum(), known.size))
  return Report(
      scores(measured.confusion), measured.confusion,
      {name: rows[name][:-1] for name in OUTLINES},
      {f'mean_{name}': float(rows[name][-1]) for name in OUTLINES},
  )


def compared(trained: Trained, examples, views: Views, batch: int):
  """Yields (index, prediction, label), uint8 [H,W], of every example, once.

  Arguments are those of `score`.
  """
  found = predictions(
      trained, [size(label) for label in examples.labels],
      lambda index: decode(examples.images[index], 'RGB'), views, batch,
  )
  for index, _, prediction in found:
    yield index, prediction, decode(examples.labels[index], 'L')


def total(
    trained: Trained, examples, batch: int, measure, keep=(), poll=None
):
  """Sum of a measure of a segmentor's predictions, in this process.

  Args:
    trained: the segmentor.
    examples: Examples at their own sizes.
    batch: images per call.
    measure: `measures.count` or `measures.measure`.
    keep: indices of examples whose prediction is wanted.
    poll: called for each image; what it raises ends the evaluation.

  Returns:
    (what `measure` gives of all; {index: prediction uint8 [H,W]} of `keep`).
  """
  classes, kept = len(trained.classes), {}
  # Of no pixel: a host may have no example.
  found = measure(*np.full((2, 1, 1), VOID), classes)
  for index, *maps in compared(trained, examples, Views(), batch):
    if poll:
      poll()
    found = jax.tree.map(np.add, found, measure(*maps, classes))
    if index in keep:
      kept[index] = maps[0]
  return found, kept


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
    return summarize(added(results()))
