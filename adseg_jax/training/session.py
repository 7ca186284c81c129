"""A run in this process, from its start or restart until it stops."""

import contextlib
import dataclasses
import math

import jax
import numpy as np
from etils import epath

from adseg_jax.config import Experiment
from adseg_jax.method.state import TrainState
from adseg_jax.training import health, memory, parallel, tracing
from adseg_jax.training.checkpoint import Checkpoints
from adseg_jax.training.clock import Clock, Starvation
from adseg_jax.training.writer import Mute, Writer


@dataclasses.dataclass
class Session:
  """A run that is under way: its state after the last step, and its files.

  `pending` has the metrics of the steps since the last line of the log; the
  updates' streak and two watches say what a person should know.
  """

  experiment: Experiment
  workdir: epath.Path
  checkpoints: Checkpoints
  writer: Writer | Mute
  state: TrainState
  pending: list
  clock: Clock
  streak: health.Streak
  watches: tuple[health.Watch, Starvation]
  tracing: tracing.Tracing | tracing.Untraced

  def take(self, state: TrainState, metrics: dict):
    """Keeps what a step gave, without waiting for it."""
    self.state = state
    self.pending.append(metrics)
    self.clock.step()

  def log(self, step: int):
    """Writes the line of the steps since the last one.

    Raises:
      UserError: no update was finite for a while.
    """
    values, dropped = _mean(self.pending)
    self.pending = []
    values |= self.clock.lap() | memory.peaks()
    values['images_seen'] = step * self.experiment.data.batch
    self.writer.write(step, 'train', values)
    self.writer.progress(step, values)
    for said in (
        self.streak.see(step, dropped),
        *(watch.see(step, values) for watch in self.watches),
    ):
      if said:
        self.writer.message(said)

  def save(self, scores: dict | None = None):
    """Saves a checkpoint, with its scores if it was evaluated."""
    self.checkpoints.save(
        self.state, self.clock.seconds, scores, self.pending
    )


def start(
    workdir: epath.Path, experiment: Experiment, state: TrainState,
    stack: contextlib.ExitStack, profile: bool = False,
) -> Session:
  """The run, restored at its newest step, ready to train.

  It begins with `state`, which is placed; `stack` closes its files.

  Raises:
    UserError: a checkpoint or a file can't be used.
  """
  checkpoints = stack.enter_context(Checkpoints(workdir, experiment))
  state, seconds, pending = checkpoints.restore(state)
  step = int(state.step)
  writer = stack.enter_context(
      Writer(workdir, experiment.optimizer.steps, step)
      if parallel.is_main() else Mute()
  )
  traced = tracing.Untraced()
  if profile and parallel.is_main():
    traced = tracing.Tracing(workdir / tracing.FOLDER, writer.message)
    stack.callback(traced.close)
  return Session(
      experiment, workdir, checkpoints, writer, state, pending,
      Clock(experiment.data.batch, seconds), health.Streak(),
      (health.Watch(step), Starvation(step)), traced,
  )


def _mean(pending) -> tuple[dict[str, float], list[bool]]:
  """(mean of each metric over the steps of a line; which were dropped).

  The mean is over steps whose update was not dropped and where a metric is
  known, as the adversary's are not before it starts; 'dropped' counts them.
  """
  steps = jax.device_get(pending)
  dropped = [bool(values['dropped']) for values in steps]
  kept = [v for v, bad in zip(steps, dropped, strict=True) if not bad]
  found = {}
  for name in steps[0]:
    known = [v[name] for v in kept or steps if not np.isnan(v[name])]
    found[name] = float(np.mean(known, dtype=float)) if known else math.nan
  return found | {'dropped': sum(dropped)}, dropped
