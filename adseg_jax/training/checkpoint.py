"""Checkpoints: the newest three and the best, written whole or not at all."""

import contextlib
import dataclasses
import logging
import sys
import warnings
from pathlib import Path

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from adseg_jax.config import Experiment
from adseg_jax.errors import UserError

NEWEST = 3
MEASURE = 'mean_iou'
FOLDER = 'checkpoints'


def has_begun(workdir: Path) -> bool:
  """Whether there is a checkpoint to continue from."""
  return any(path.name.isdigit() for path in (workdir / FOLDER).glob('*'))


def _measure(scores: dict) -> float:
  return scores[MEASURE]


@contextlib.contextmanager
def _quiet_if_it_fails():
  """Keeps the threads that a failed restore leaves behind from printing.

  Its other reads go on, find their event loop closed and print a traceback
  each, before or after the one line that says what is wrong.
  """
  logger, hook = logging.getLogger('asyncio'), sys.unraisablehook
  level = logger.level
  sys.unraisablehook = lambda event: None
  logger.setLevel(logging.CRITICAL)
  yield
  sys.unraisablehook = hook
  logger.setLevel(level)


class Checkpoints:
  """The checkpoints of a workdir; use as a context manager."""

  def __init__(self, workdir: Path, experiment: Experiment):
    """Opens or creates `workdir`/checkpoints.

    Raises:
      UserError: the folder can't be used, or a score in it can't be read.
    """
    logging.getLogger('absl').setLevel(logging.ERROR)
    self.directory = (workdir / FOLDER).absolute()
    self.experiment = dataclasses.asdict(experiment)
    best = checkpoint_managers.BestN(
        get_metric_fn=_measure, n=1, keep_checkpoints_without_metrics=False
    )
    options = ocp.CheckpointManagerOptions(
        preservation_policy=checkpoint_managers.AnyPreservationPolicy(
            [checkpoint_managers.LatestN(NEWEST), best]
        ),
        # The policy decides what is kept; without this, Orbax would not write
        # the scores, and a continued run would forget the best.
        best_fn=_measure,
        # The next step overwrites the buffers that it was given: a save must
        # have read them before.
        enable_async_checkpointing=False,
        cleanup_tmp_directories=True,
    )
    try:
      self.manager = ocp.CheckpointManager(self.directory, options=options)
    except Exception as error:  # As in `restore`.
      raise UserError(
          f'{self.directory}: these checkpoints cannot be read '
          f'({type(error).__name__}): move the damaged step away to continue '
          'from the others'
      ) from error

  def __enter__(self):
    """Itself."""
    return self

  def __exit__(self, *_):
    """Waits for what is being written."""
    self.manager.close()

  def save(self, state, seconds: float, scores: dict | None):
    """Saves the state; `scores` hold 'mean_iou' where it was evaluated."""
    self.manager.save(
        int(state.step),
        args=ocp.args.Composite(
            state=ocp.args.StandardSave(state),
            run=ocp.args.JsonSave(
                {'experiment': self.experiment, 'seconds': seconds}
            ),
        ),
        metrics=scores and {MEASURE: scores[MEASURE]},
    )

  def restore(self, state, step: int | None = None):
    """(state, seconds trained) of a step, by default the newest.

    Args:
      state: a state of the same structure, placed as the result shall be.
      step: a step that was saved.

    Returns:
      The state as given and 0 seconds where nothing was saved yet.

    Raises:
      UserError: the checkpoint can't be read, or is of another structure.
    """
    step = self.manager.latest_step() if step is None else step
    if step is None:
      return state, 0.0
    target = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
    try:
      with warnings.catch_warnings(), _quiet_if_it_fails():
        warnings.simplefilter('ignore')
        restored = self.manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(target),
                run=ocp.args.JsonRestore(),
            ),
        )
    except Exception as error:  # Orbax raises many kinds for a broken file.
      raise UserError(
          f'{self.directory / str(step)}: this checkpoint cannot be read '
          f'({type(error).__name__}): move the folder away to continue from '
          'the checkpoint before it'
      ) from error
    return restored.state, restored.run['seconds']

  def best_step(self) -> int | None:
    """The step with the highest validation mean IoU."""
    scored = {
        step: metrics[MEASURE]
        for step in self.manager.all_steps()
        if (metrics := self.manager.metrics(step))
    }
    return max(scored, key=scored.get) if scored else None
