"""SIGTERM: what a scheduler sends before it takes the machine away."""

import os
import signal
import threading

import jax
from jax.experimental import multihost_utils

from adseg_jax.errors import Stopped

# Said where nothing is to be saved yet.
EARLY = 'stopped before the first step: the same command starts it again'


class Interruption:
  """Whether the run was asked to stop; use as a context manager.

  Before the first step there is nothing to save, and compilation may keep
  Python from its signal handlers for minutes: a thread ends the process at
  once. From then on the training loop asks between steps. On several hosts
  JAX's own notice makes all stop at the same step, whichever was told.
  """

  def __init__(self):
    self._asked = self._begun = False
    # Elsewhere the signal is not ours: Python allows handlers in the main
    # thread only, and JAX has one where there are several processes.
    self._ours = (
        jax.process_count() == 1
        and threading.current_thread() is threading.main_thread()
    )

  def __enter__(self):
    """Itself."""
    if self._ours:
      self._before = signal.signal(signal.SIGTERM, self._note)
      self._read, self._write = os.pipe()
      os.set_blocking(self._write, False)
      self._wakeup = signal.set_wakeup_fd(
          self._write, warn_on_full_buffer=False
      )
      threading.Thread(target=self._watch, daemon=True).start()
    return self

  def __exit__(self, *_):
    """Gives the signal back."""
    if self._ours:
      signal.set_wakeup_fd(self._wakeup)
      signal.signal(signal.SIGTERM, self._before)
      os.close(self._write)  # ends the thread, which closes the other end

  def _note(self, *_):
    self._asked = True

  def _watch(self):
    while number := os.read(self._read, 1):
      if number[0] == signal.SIGTERM and not self._begun:
        print(EARLY, flush=True)
        os._exit(0)
    os.close(self._read)

  def begin(self):
    """From here on there is something to save."""
    self._begun = True

  def at(self, step: int) -> bool:
    """Whether to stop after this step: the same answer on every host."""
    if jax.process_count() > 1:
      return multihost_utils.reached_preemption_sync_point(step)
    return self._asked

  def poll(self):
    """Ends an evaluation by Stopped; a run that continues does it again."""
    if self._asked:
      raise Stopped
