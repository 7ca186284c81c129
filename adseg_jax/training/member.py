"""One run among those that train together: what it alone owns."""

import contextlib
import dataclasses

import jax
import numpy as np
from etils import epath

from adseg_jax.config import Experiment
from adseg_jax.errors import UserError
from adseg_jax.reporting.writer import Mute, Writer
from adseg_jax.training import health, parallel
from adseg_jax.training.checkpoint import Checkpoints
from adseg_jax.training.clock import Clock
from adseg_jax.training.seeds import restore_together
from adseg_jax.training.state import TrainState


@dataclasses.dataclass
class Member:
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
    together: number of runs that train together.
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
  together: int

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
    values |= self.clock.lap()
    self.writer.write(step, 'train', values)
    pace = self.together * values['images_per_second']
    self.writer.progress(step, values, pace)
    try:
      news = self.streak.see(step, dropped), self.watch.see(step, values)
    except UserError as error:
      raise UserError(self.named(str(error))) from None
    for said in news:
      if said:
        self.writer.message(self.named(said))
    return values

  def named(self, text: str) -> str:
    """The text, with the seed before it where there are several."""
    seed = self.experiment.seed
    return f'seed {seed}: {text}' if self.together > 1 else text

  def save(self, scores: dict | None):
    """Saves a checkpoint, with its scores if it was evaluated."""
    self.checkpoints.save(self.state, self.clock.seconds, scores)

  def keep(self):
    """Saves a checkpoint unless there is one of this step."""
    self.checkpoints.keep(self.state, self.clock.seconds, self.pending)


def open_all(runs: dict, states, stack: contextlib.ExitStack) -> list[Member]:
  """The runs, restored at the newest step that all have, ready to train.

  Args:
    runs: workdir -> experiment.
    states: the initial TrainState of each, placed.
    stack: closes their files.

  Raises:
    UserError: a checkpoint or a file can't be used.
  """
  opened = [
      stack.enter_context(Checkpoints(*run)) for run in runs.items()
  ]
  members, leader = [], None
  for run, checkpoints, (state, seconds, pending) in zip(
      runs.items(), opened, restore_together(opened, states), strict=True
  ):
    workdir, experiment = run
    start = int(state.step)
    writer = stack.enter_context(
        Writer(workdir, experiment.optimizer.steps, start, leader)
        if parallel.is_main() else Mute()
    )
    leader = leader or writer
    members.append(Member(
        experiment, workdir, checkpoints, writer, state, pending,
        Clock(experiment.data.batch, seconds), health.Streak(),
        health.Watch(start), len(runs),
    ))
  return members


def _mean(pending) -> tuple[dict[str, float], list[bool]]:
  """Mean of each metric over the steps since the last line.

  Returns:
    Values; those of steps whose update was dropped are left out, and
    'dropped' counts these. Whether each step was dropped.
  """
  steps = jax.device_get(pending)
  dropped = [bool(values['dropped']) for values in steps]
  kept = [v for v, bad in zip(steps, dropped, strict=True) if not bad]
  return {
      name: float(np.mean([float(values[name]) for values in kept or steps]))
      for name in steps[0]
  } | {'dropped': sum(dropped)}, dropped
