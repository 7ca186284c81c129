"""A run in this process, from its start or restart until it stops."""

import contextlib
import dataclasses

import jax
import numpy as np
from etils import epath

from adseg_jax.config import Experiment
from adseg_jax.method.state import TrainState
from adseg_jax.training import health, memory, parallel, tracing
from adseg_jax.training.checkpoint import Checkpoints
from adseg_jax.training.clock import Clock
from adseg_jax.training.writer import Mute, Writer


@dataclasses.dataclass
class Session:
  """A run that is under way.

  Attributes:
    experiment: what it trains.
    workdir: its folder.
    checkpoints: those of the workdir.
    writer: of its metrics.
    state: TrainState after the last step.
    pending: metrics of the steps since the last line of the log.
    clock: its time and pace.
    streak: of its updates that were dropped.
    watch: over its adversary.
    tracing: of a few of its steps.
  """

  experiment: Experiment
  workdir: epath.Path
  checkpoints: Checkpoints
  writer: Writer | Mute
  state: TrainState
  pending: list
  clock: Clock
  streak: health.Streak
  watch: health.Watch
  tracing: tracing.Tracing | tracing.Untraced

  def take(self, state: TrainState, metrics: dict):
    """Keeps what a step gave, without waiting for it."""
    self.state = state
    self.pending.append(metrics)
    self.clock.step()

  def log(self, step: int) -> dict[str, float]:
    """Writes the line of the steps since the last one; returns its values.

    Raises:
      UserError: no update was finite for a while.
    """
    values, dropped = _mean(self.pending)
    self.pending = []
    values |= self.clock.lap() | memory.peaks()
    values['images_seen'] = step * self.experiment.data.batch
    self.writer.write(step, 'train', values)
    self.writer.progress(step, values)
    for said in self.streak.see(step, dropped), self.watch.see(step, values):
      if said:
        self.writer.message(said)
    return values

  def save(self, scores: dict | None):
    """Saves a checkpoint, with its scores if it was evaluated."""
    self.checkpoints.save(self.state, self.clock.seconds, scores)

  def keep(self):
    """Saves a checkpoint unless there is one of this step."""
    self.checkpoints.keep(self.state, self.clock.seconds, self.pending)


def start(
    workdir: epath.Path, experiment: Experiment, state: TrainState,
    stack: contextlib.ExitStack, profile: bool = False,
) -> Session:
  """The run, restored at its newest step, ready to train.

  Args:
    workdir: its folder.
    experiment: what it trains.
    state: the initial TrainState, placed.
    stack: closes its files.
    profile: whether to trace a few steps.

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
  return Session(
      experiment, workdir, checkpoints, writer, state, pending,
      Clock(experiment.data.batch, seconds), health.Streak(),
      health.Watch(step), _tracing(workdir, writer, stack, profile),
  )


def _tracing(workdir, writer, stack, profile: bool):
  if not profile or not parallel.is_main():
    return tracing.Untraced()
  traced = tracing.Tracing(workdir / tracing.FOLDER, writer.message)
  stack.callback(traced.close)
  return traced


def _mean(pending) -> tuple[dict[str, float], list[bool]]:
  """Mean of each metric over the steps since the last line.

  Returns:
    Values: of steps whose update was not dropped and where they are known, as
    the adversary's are not before it starts; 'dropped' counts the former.
    Whether each step was dropped.
  """
  steps = jax.device_get(pending)
  dropped = [bool(values['dropped']) for values in steps]
  kept = [v for v, bad in zip(steps, dropped, strict=True) if not bad]
  return {
      name: _mean_of_known([float(values[name]) for values in kept or steps])
      for name in steps[0]
  } | {'dropped': sum(dropped)}, dropped


def _mean_of_known(values: list[float]) -> float:
  """Mean of those that are not nan; nan where all are."""
  known = [value for value in values if not np.isnan(value)]
  return float(np.mean(known)) if known else float('nan')
