"""Measures of single images, in processes of their own.

A boundary measure takes longer than a prediction on an accelerator.
"""

import contextlib
import multiprocessing
import signal
from collections import deque
from concurrent.futures import ProcessPoolExecutor

from adseg_jax import environment
from adseg_jax.evaluation.measures import measure


@contextlib.contextmanager
def measuring(num_classes: int):
  """Gives a function that takes an image's maps, and one that gives results.

  `submit(prediction, label)` returns at once, unless many images wait;
  `results()` has a Measured for each, in their order.
  """
  workers, waiting, done = environment.cores(), deque(), []
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
