"""Scores of a trained segmentor on a split, every image at its own size."""

import concurrent.futures
import io
from collections import defaultdict, deque
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from adseg_jax.evaluation.evaluate import decode
from adseg_jax.evaluation.inference import Views, make_sliding, make_whole
from adseg_jax.evaluation.metrics import Scores, scores
from adseg_jax.evaluation.resampling import BUCKET, ceil_to
from adseg_jax.evaluation.workers import Measured, measuring
from adseg_jax.training.restore import Trained

# Padded sizes of whole images, at most: a program compiles for each.
SHAPES = 16
# Pixels of a batch of whole images, at most, unless one image has more.
PIXELS = 2**22
_AHEAD = 2  # batches that are read while another is predicted


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


def buckets(sizes) -> dict[tuple[int, int], list[int]]:
  """Indices of images by padded size; at most SHAPES sizes.

  Args:
    sizes: (height, width) of each image.
  """
  multiple = BUCKET
  while True:
    found = defaultdict(list)
    for index, size in enumerate(sizes):
      found[tuple(ceil_to(side, multiple) for side in size)].append(index)
    if len(found) <= SHAPES:
      return dict(sorted(found.items()))
    multiple *= 2


def predictions(trained: Trained, examples, views: Views, batch: int):
  """Yields (index, classes uint8 [H,W]) of every example, once.

  Args:
    trained: the segmentor.
    examples: Examples at their own sizes.
    views: how they are seen.
    batch: images or windows per call, raised to a multiple of the devices.
  """
  devices = jax.local_devices()
  batch = ceil_to(batch, len(devices))
  kind = _sliding if views.window else _whole
  yield from kind(trained, examples, views, batch, devices)


def _whole(trained, examples, views, batch, devices):
  predict = make_whole(trained, views, devices)
  jobs = []
  for size, indices in buckets(_sizes(examples)).items():
    most = min(batch, len(indices), max(1, PIXELS // (size[0] * size[1])))
    most = ceil_to(most, len(devices))
    jobs += [
        (indices[first:first + most], size, most)
        for first in range(0, len(indices), most)
    ]
  classify = jax.jit(lambda maps: jnp.argmax(maps, -1).astype(jnp.uint8))
  # A thread prepares the next batch, and the devices predict it, while the
  # last one's classes are read.
  running = _ahead(
      lambda job: (job[0], classify(predict(
          [decode(examples.images[index], 'RGB') for index in job[0]], *job[1:]
      ))), jobs,
  )
  for indices, found in running:
    found = np.asarray(found)
    for row, index in enumerate(indices):
      height, width = _size(examples.labels[index])
      yield index, found[row, :height, :width]


def _sliding(trained, examples, views, batch, devices):
  predict = make_sliding(trained, views, batch, devices)
  pictures = _ahead(lambda image: decode(image, 'RGB'), examples.images)
  for index, picture in enumerate(pictures):
    yield index, predict(picture).argmax(-1).astype(np.uint8)


def _ahead(function, items):
  """`map`, computed by a thread, a few items ahead."""
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    waiting = deque()
    for item in items:
      waiting.append(pool.submit(function, item))
      if len(waiting) > _AHEAD:
        yield waiting.popleft().result()
    while waiting:
      yield waiting.popleft().result()


def _size(label: bytes) -> tuple[int, int]:
  with Image.open(io.BytesIO(label)) as picture:
    return picture.size[::-1]


def _sizes(examples):
  return [_size(label) for label in examples.labels]


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
    found = predictions(trained, examples, views, batch)
    for index, prediction in track(found):
      submit(prediction, decode(examples.labels[index], 'L'))
    return summarize(results())
