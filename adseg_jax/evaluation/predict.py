"""Pictures in, label maps out: for training, `evaluate`, `predict`, `load`."""

import concurrent.futures
import os

import jax
import numpy as np

from adseg_jax.evaluation.canvases import batches, fitting
from adseg_jax.evaluation.inference import (
    Views,
    Whole,
    make_sliding,
    seen_size,
)
from adseg_jax.evaluation.trained import Trained
from adseg_jax.networks.extents import ceil_to
from adseg_jax.prefetch import prefetch

# Pixels of a picture that is seen whole, at most; larger ones go through
# windows, so that they fit the device.
LARGEST = 1536 * 1536
WINDOW = 1024, 1024  # what a window answers for, in pixels
WINDOWS = 2  # per call and device
# Programs that compile at once: the other half of the cores predicts.
_COMPILERS = max(1, (os.cpu_count() or 1) // 2)


def _is_large(size, views: Views, trained: Trained) -> bool:
  """Whether a picture of a size is predicted window by window."""
  seen = seen_size(size, max(views.scales), trained)
  return bool(views.window or max(map(np.prod, (size, seen))) > LARGEST)


def predictions(
    trained: Trained, sizes, read, views: Views, batch: int, *, classes=True
):
  """Yields (index, picture, prediction) of every picture, once.

  Args:
    trained: the segmentor.
    sizes: (height, width) of each picture.
    read: index -> uint8 [H,W,3], or None where it can't be read; a thread
      calls it.
    views: how pictures are seen.
    batch: pictures or windows per call, raised to a multiple of the devices.
    classes: predict uint8 [H,W] instead of probabilities float32 [H,W,C].

  Pictures of about one size come together; the prediction of one that can't
  be read is None.
  """
  devices = jax.local_devices()
  batch = ceil_to(batch, len(devices))
  groups = [], []
  for index, size in enumerate(sizes):
    groups[_is_large(size, views, trained)].append(index)
  whole, large = groups
  yield from _whole(
      trained, whole, sizes, read, views, batch, devices, classes
  )
  yield from _windows(trained, large, read, views, batch, devices, classes)


def _whole(trained, indices, sizes, read, views, batch, devices, classes):
  predict = Whole(trained, views, devices, classes)
  jobs = batches([sizes[index] for index in indices], batch, len(devices))
  pool = concurrent.futures.ThreadPoolExecutor(_COMPILERS)
  compiled = {
      program: pool.submit(predict.compile, *program)
      for program in dict.fromkeys(job[1:] for job in jobs)
  }

  def work(job):
    pictures = [read(indices[place]) for place in job.indices]
    seen = [one for one in pictures if one is not None]
    compiled[job[1:]].result()
    return pictures, predict(seen, *job[1:]) if seen else None

  # A thread prepares the next batch, and the devices predict it, while the
  # last one's results are read; others compile what later batches need.
  try:
    for job, (pictures, found) in zip(jobs, prefetch(jobs, work), strict=True):
      yield from _rows(job, indices, pictures, found)
  finally:
    pool.shutdown(cancel_futures=True)


def _rows(job, indices, pictures, found):
  rows = iter(() if found is None else np.asarray(found))
  for place, picture in zip(job.indices, pictures, strict=True):
    if picture is None:
      yield indices[place], None, None
    else:
      height, width = picture.shape[:2]
      yield indices[place], picture, next(rows)[:height, :width]


def _windows(trained, indices, read, views, batch, devices, classes):
  if not views.window:
    views = Views(views.scales, views.flip, WINDOW)
    batch = min(batch, WINDOWS * len(devices))
  predict = make_sliding(trained, views, batch, devices, classes)
  pictures = prefetch(indices, read)
  for index, picture in zip(indices, pictures, strict=True):
    yield index, picture, None if picture is None else predict(picture)


def make_predict(trained: Trained):
  """uint8 [H,W,3] -> probabilities float32 [H,W,C], for one at a time.

  A picture that fits on the canvas of an earlier one is laid on it, unless
  that has more than half as many pixels again, so that few programs compile.
  """
  whole = Whole(trained, Views())
  windows = make_sliding(trained, Views(window=WINDOW), 1)
  known = []

  def predict(picture):
    size = picture.shape[:2]
    if _is_large(size, Views(), trained):
      return windows(picture)
    canvas = fitting(size)
    fit = [one for one in known if canvas[0] <= one[0] and canvas[1] <= one[1]]
    best = min(fit, key=np.prod, default=None)
    if best is None or np.prod(best) > 1.5 * np.prod(canvas):
      known.append(canvas)
      best = canvas
    return np.asarray(whole([picture], best, 1)[0, :size[0], :size[1]])

  return predict
