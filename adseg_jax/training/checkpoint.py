"""Checkpoints: the newest three and the best, written whole or not at all."""

import dataclasses
import logging
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


class Checkpoints:
  """The checkpoints of a workdir; use as a context manager."""

  def __init__(self, workdir: Path, experiment: Experiment):
    """Opens or creates `workdir`/checkpoints."""
    logging.getLogger('absl').setLevel(logging.ERROR)
    self.directory = (workdir / FOLDER).absolute()
    self.experiment = dataclasses.asdict(experiment)
    best = checkpoint_managers.BestN(
        get_metric_fn=lambda metrics: metrics[MEASURE], n=1,
        keep_checkpoints_without_metrics=False,
    )
    self.manager = ocp.CheckpointManager(
        self.directory,
        options=ocp.CheckpointManagerOptions(
            preservation_policy=checkpoint_managers.AnyPreservationPolicy(
                [checkpoint_managers.LatestN(NEWEST), best]
            ),
            # The next step overwrites the buffers that it was given: a save
            # must have read them before.
            enable_async_checkpointing=False,
            cleanup_tmp_directories=True,
        ),
    )

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
      with warnings.catch_warnings():
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
