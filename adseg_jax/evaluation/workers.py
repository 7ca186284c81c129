"""Measures of single images, in processes of their own.

A boundary measure takes longer than a prediction on an accelerator. Worker
processes import this module: it must need neither JAX nor TensorFlow.
"""

import contextlib
import multiprocessing
import signal
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np

from adseg_jax import environment
from adseg_jax.evaluation.boundary import boundary_f1, boundary_overlap


class Measured(NamedTuple):
  """What an image adds to the scores.

  Attributes:
    confusion: int64 [C,C], rows: truth.
    boundary_f1: float64 [C], nan where a class is in neither map.
    overlap: int64 [2,C], as `boundary_overlap` gives it.
  """

  confusion: np.ndarray
  boundary_f1: np.ndarray
  overlap: np.ndarray


def count(prediction, label, num_classes: int, void: int = 255):
  """Confusion matrix of label maps [H,W], int64 [C,C], rows: truth."""
  valid = label != void
  cells = label[valid].astype(np.int64) * num_classes + prediction[valid]
  counts = np.bincount(cells, minlength=num_classes**2)
  return counts.reshape(num_classes, num_classes)


def measure(prediction, label, num_classes: int, void: int = 255) -> Measured:
  """All measures of one image's label maps [H,W]."""
  return Measured(
      count(prediction, label, num_classes, void),
      boundary_f1(prediction, label, num_classes, void=void),
      boundary_overlap(prediction, label, num_classes, void=void),
  )


@contextlib.contextmanager
def measuring(num_classes: int):
  """Gives a function that takes an image's maps, and one that gives results.

  `submit(prediction, label)` returns at once, unless many images wait;
  `results()` has a Measured for each, in their order.
  """
  workers = environment.cores()
  waiting, done = deque(), []
  # A fork of a process that has JAX's threads may deadlock.
  pool = ProcessPoolExecutor(
      workers, multiprocessing.get_context('spawn'), _ignore_interrupts
  )

  def submit(prediction, label):
    # Images that wait take memory.
    while len(waiting) > 4 * workers:
      done.append(waiting.popleft().result())
    waiting.append(pool.submit(measure, prediction, label, num_classes))

  def results():
    while waiting:
      done.append(waiting.popleft().result())
    return done

  try:
    yield submit, results
  finally:
    pool.shutdown(cancel_futures=True)


def _ignore_interrupts():
  # Ctrl-C reaches every process; the parent says the one line.
  signal.signal(signal.SIGINT, signal.SIG_IGN)
