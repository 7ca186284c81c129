"""A trace of a few steps, to see where their time goes."""

import contextlib
from collections.abc import Callable

import jax
from etils import epath

from adseg_jax.errors import UserError

FOLDER = 'profile'
# Steps after one that compiled until the trace begins, and steps in it. Chosen:
# batches are ahead again by then, and a trace stays small.
SETTLED = 2
STEPS = 3


def check(workdir: epath.Path):
  """Raises a UserError for a workdir that is no folder of a file system."""
  if '://' in str(workdir):
    raise UserError(
        '--profile writes to a disk of this machine: give a --workdir there, '
        f'not {workdir}'
    )


class Untraced:
  """Traces nothing."""

  def step(self, *_):
    """Nothing."""
    return contextlib.nullcontext()

  end = step


class Tracing:
  """Traces STEPS steps of each program of the training step, compiled ones.

  An evaluation or a checkpoint ends a trace: the loop says so by `end`.
  """

  def __init__(self, folder: epath.Path, say: Callable[[str], None]):
    self._folder, self._say = folder, say
    self._first = 0  # step that the next trace begins with, or the last began
    self._last = 0  # step that was dispatched last
    self._on = self._any = False

  @contextlib.contextmanager
  def step(self, step: int, compiles: bool, state):
    """Around the dispatch of a step, whose program may be new: `compiles`.

    A trace begins and ends when the state before the step is there.
    """
    if compiles or step == self._first + STEPS:
      self.end(state)
    if compiles:
      self._first = step + 1 + SETTLED
    if step == self._first:
      jax.block_until_ready(state)
      jax.profiler.start_trace(self._folder, create_perfetto_trace=True)
      self._on = self._any = True
    self._last = step
    with jax.profiler.StepTraceAnnotation('step', step_num=step):
      yield

  def end(self, state=None):
    """Writes the trace, if one is on, when the state is there."""
    if not self._on:
      return
    self._on = False
    jax.block_until_ready(state)
    try:
      jax.profiler.stop_trace()
    except (OSError, RuntimeError) as error:
      self._say(f'{self._folder}: no trace could be written ({error})')
    else:
      self._say(f'Traced steps {self._first} to {self._last}: {self._folder}')

  def close(self):
    """Ends all."""
    self.end()
    if not self._any:
      self._say(
          f'No step was traced: a trace begins {1 + SETTLED} steps after a '
          'start'
      )
