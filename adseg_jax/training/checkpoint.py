"""Checkpoints: the newest three and the best, written whole or not at all."""

import contextlib
import dataclasses
import errno
import json
import logging
import operator
import os
import sys
import time
import warnings

import jax
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint import checkpoint_managers

from adseg_jax import files
from adseg_jax.config import Experiment
from adseg_jax.errors import UserError
from adseg_jax.method.state import filled, present
from adseg_jax.training import parallel

NEWEST = 3
MEASURE = 'mean_iou'
FOLDER = 'checkpoints'
# Where a checkpoint goes that can't be read.
DAMAGED = 'damaged'


def saved_steps(workdir: epath.Path) -> set[int]:
  """Steps of the checkpoints in a workdir, read or not."""
  paths = (workdir / FOLDER).glob('*')
  return {int(path.name) for path in paths if path.name.isdigit()}


def directory_of(workdir: epath.PathLike) -> epath.Path:
  """Where a workdir's checkpoints are, as Orbax wants it: absolute."""
  directory = epath.Path(workdir) / FOLDER
  # A URL is absolute, though `absolute` thinks not.
  return directory if '://' in str(directory) else directory.absolute()


def scores_of(checkpoint: epath.Path) -> epath.Path:
  """Where Orbax keeps what a checkpoint scored."""
  return checkpoint / 'metrics' / 'metrics'


@contextlib.contextmanager
def _quiet_if_it_fails():
  """Keeps the threads that a failure leaves behind from printing.

  Other reads and writes go on, find their event loop closed and print a
  traceback each, before or after the one line that says what is wrong.
  """
  logger, hook = logging.getLogger('asyncio'), sys.unraisablehook
  level = logger.level
  sys.unraisablehook = lambda event: None
  logger.setLevel(logging.CRITICAL)
  yield
  sys.unraisablehook = hook
  logger.setLevel(level)


def _manager(directory: epath.Path) -> ocp.CheckpointManager:
  measure = operator.itemgetter(MEASURE)
  best = checkpoint_managers.BestN(
      get_metric_fn=measure, n=1, keep_checkpoints_without_metrics=False
  )
  return ocp.CheckpointManager(directory, options=ocp.CheckpointManagerOptions(
      preservation_policy=checkpoint_managers.AnyPreservationPolicy(
          [checkpoint_managers.LatestN(NEWEST), best]
      ),
      # The policy decides what is kept; without this, Orbax would not write
      # the scores, and a continued run would forget the best.
      best_fn=measure,
      # The next step overwrites the buffers that it was given: a save must
      # have read them before.
      enable_async_checkpointing=False,
      cleanup_tmp_directories=True,
  ))


class Checkpoints:
  """The checkpoints of a workdir; use as a context manager."""

  def __init__(self, workdir: epath.Path, experiment: Experiment):
    """Opens or creates `workdir`/checkpoints.

    The experiment is saved with each of them.

    Raises:
      UserError: the folder can't be used.
    """
    # What fails is said by us, in one line.
    logging.getLogger('absl').setLevel(logging.CRITICAL)
    self.workdir = epath.Path(workdir)
    self.directory = directory_of(self.workdir)
    self.experiment = dataclasses.asdict(experiment)
    try:
      if self.directory.is_file():
        raise NotADirectoryError
      # Only one host looks: another would find them moved, and not wait.
      parallel.on_main(self._clear)
      self.manager = _manager(self.directory)
    except Exception as error:  # Orbax raises many kinds.
      raise UserError(
          f'{self.directory}: cannot be used as a folder of checkpoints '
          f'({type(error).__name__}): move it away, or give another --workdir'
      ) from error

  def _clear(self):
    """Puts the checkpoints aside whose scores are damaged."""
    for step in (p for p in self.directory.glob('*') if p.name.isdigit()):
      try:
        if (scores := scores_of(step)).exists():
          json.loads(scores.read_text())
      except ValueError as error:
        self._put_aside(int(step.name), error)

  def _put_aside(self, step: int, error: Exception):
    """Moves a checkpoint that can't be read to `workdir`/damaged."""
    folder = self.workdir / DAMAGED
    folder.mkdir(exist_ok=True)
    (self.directory / str(step)).rename(folder / f'{step}-{time.time_ns()}')
    print(
        f'warning: the checkpoint of step {step} cannot be read '
        f'({type(error).__name__}): it was moved to {self.workdir / DAMAGED}, '
        'the one before it is used', flush=True,
    )

  def __enter__(self):
    """Itself."""
    return self

  def __exit__(self, *_):
    """Waits for what is being written."""
    self.manager.close()

  def save(self, state, seconds: float, scores: dict | None, pending=()):
    """Saves the state, and what belongs to it.

    A checkpoint of the same step gets the scores, and stays as it is.

    Args:
      state: TrainState.
      seconds: that the run has trained.
      scores: 'mean_iou' where it was evaluated.
      pending: metrics of the steps since the last line of the log.

    Raises:
      UserError: it can't be written; those before it are as they were.
    """
    step, metrics = int(state.step), scores and {MEASURE: scores[MEASURE]}
    if step in self.manager.all_steps():
      if metrics:
        self._add(step, metrics)
      return
    written = parallel.across_hosts(present(state))
    about = {
        'experiment': self.experiment, 'seconds': seconds,
        'pending': _as_numbers(pending),
    }
    try:
      with _quiet_if_it_fails():
        self.manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(written),
                run=ocp.args.JsonSave(about),
            ),
            metrics=metrics,
        )
    except Exception as error:  # Tensorstore and Python have many for this.
      raise self._unwritten('checkpoint', step, error) from error

  def _add(self, step: int, scores: dict):
    """Writes scores beside a state: it is never deleted to be written anew."""
    path = scores_of(self.directory / str(step))

    def write():
      try:
        path.parent.mkdir(exist_ok=True)
        files.write(path, json.dumps(scores).encode())
      except OSError as error:
        raise self._unwritten('scores', step, error) from error

    parallel.on_main(write)
    self.manager.reload()
    # What the next save would delete, as the policy has it.
    steps = sorted(self.manager.all_steps())
    best = max(
        (found[MEASURE], step) for step in steps
        if (found := self.manager.metrics(step))
    )[1]
    for step in steps[:-NEWEST]:
      if step != best:
        self.manager.delete(step)

  def _unwritten(self, what: str, step: int, error: Exception) -> UserError:
    newest = max(saved_steps(self.workdir), default='0, the beginning')
    return UserError(
        f'{self.directory}: the {what} of step {step} cannot be written '
        f'({_reason(error)}); the last checkpoint is of step {newest}: free '
        'space, then the same command continues from there'
    )

  def restore(self, state):
    """State, seconds, pending metrics of the newest checkpoint that is whole.

    One that isn't is moved to `workdir`/damaged if one before it is. The given
    state has the structure and the placement; where nothing was saved yet, it
    is returned with 0 and none.

    Raises:
      UserError: none can be read, or they are of another structure.
    """
    failures = {}
    for step in sorted(self.manager.all_steps(), reverse=True):
      try:
        found = self._read(state, step)
      except Exception as error:  # Orbax raises many kinds for a broken file.
        failures[step] = error
        continue
      if failures:
        parallel.on_main(lambda failed=dict(failures): [
            self._put_aside(*one) for one in failed.items()
        ])
        self.manager.reload()
      return found
    if not failures:
      return state, 0.0, []
    step, error = next(iter(failures.items()))
    raise UserError(
        f'{self.directory / str(step)}: this checkpoint cannot be read '
        f'({type(error).__name__}), nor can one before it: give another '
        '--workdir, or move the folder away to begin again'
    ) from error

  def _read(self, state, step: int):
    """(state, seconds, pending) of a step."""
    target = jax.tree.map(
        ocp.utils.to_shape_dtype_struct, parallel.across_hosts(present(state))
    )
    with warnings.catch_warnings(action='ignore'), _quiet_if_it_fails():
      restored = self.manager.restore(
          step,
          args=ocp.args.Composite(
              state=ocp.args.StandardRestore(target), run=ocp.args.JsonRestore()
          ),
      )
    state, run = filled(state, restored.state), restored.run
    return parallel.on_this_host(state), run['seconds'], run.get('pending', [])

  def scored(self, step: int) -> bool:
    """Whether there is a checkpoint of a step with scores."""
    return step in self.manager.all_steps() and bool(self.manager.metrics(step))


def _as_numbers(pending) -> list[dict[str, float]]:
  """Metrics as JSON has them; float64 holds a float32 to the bit."""
  return [
      {name: float(value) for name, value in values.items()}
      for values in jax.device_get(list(pending))
  ]


def _reason(error: Exception) -> str:
  """In a word or two, why a file could not be written."""
  text = str(error)
  for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES):
    if getattr(error, 'errno', None) == number or os.strerror(number) in text:
      return os.strerror(number)
  return type(error).__name__
