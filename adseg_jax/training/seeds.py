"""Runs that differ in their seed only: where they lie, and where they meet."""

import dataclasses
from collections.abc import Mapping

from etils import epath

from adseg_jax.config import Experiment
from adseg_jax.errors import UserError

# What a run's folder has from its beginning on.
_CLAIMED = 'experiment.json'


def folder_of(workdir: epath.PathLike, seed: int) -> epath.Path:
  """Where the run of a seed lies in the folder of many."""
  return epath.Path(workdir) / f'seed{seed}'


def runs_of(
    experiment: Experiment, workdir: epath.PathLike, count: int | None
) -> dict[epath.Path, Experiment]:
  """Workdir -> experiment of `count` runs with seeds from the experiment's on.

  Args:
    experiment: of the first of them.
    workdir: run k lies in WORKDIR/seedK.
    count: None: one run, in WORKDIR itself.

  Raises:
    UserError: the count is not positive, or the folder is one of the other
      kind.
  """
  workdir = epath.Path(workdir)
  if count is None:
    if workdir.is_dir() and (
        inside := sorted(workdir.glob(f'seed*/{_CLAIMED}'))
    ):
      raise UserError(
          f'--workdir {workdir}: holds a run in {inside[0].parent.name}: give '
          f'--seeds to continue all, --workdir {inside[0].parent} to continue '
          'it alone, or another folder'
      )
    return {workdir: experiment}
  if count < 1:
    raise UserError(f'--seeds is {count}: give how many, 1 or more')
  if (workdir / _CLAIMED).exists():
    raise UserError(
        f'--workdir {workdir}: holds a single run: give --seeds another '
        'folder, or continue the run without --seeds'
    )
  return {
      folder_of(workdir, seed): dataclasses.replace(experiment, seed=seed)
      for seed in range(experiment.seed, experiment.seed + count)
  }


def cohorts(saved: Mapping[epath.Path, set[int]]) -> list[list[epath.Path]]:
  """Runs that can train together, since they have a step in common.

  A kill between two saves parts runs by one checkpoint, so a run goes back by
  one to meet the others, never further: runs that are further apart (seeds
  that were added, a seed that was continued alone) train one group after the
  other, and no work is lost.

  Args:
    saved: workdir -> steps of its checkpoints.

  Returns:
    Groups of workdirs; first the largest, the furthest of equally large ones.
  """
  # All have the beginning.
  near = {run: sorted({0, *steps})[-2:] for run, steps in saved.items()}
  groups = []
  while near:
    _, step = max(
        (sum(step in steps for steps in near.values()), step)
        for step in set().union(*near.values())
    )
    groups.append([run for run, steps in near.items() if step in steps])
    near = {run: s for run, s in near.items() if step not in s}
  return groups


def restore_together(checkpoints, states):
  """What was saved at the newest step that all runs have.

  What a run has beyond it is deleted, to be done again: the same bits.

  Args:
    checkpoints: Checkpoints of each run.
    states: the initial TrainState of each, placed as the result shall be.

  Returns:
    What Checkpoints.restore returns, for each run.

  Raises:
    UserError: a run has checkpoints, and none can be read.
  """
  pairs = list(zip(checkpoints, states, strict=True))
  found = [one.restore(state) for one, state in pairs]
  while len({int(state.step) for state, *_ in found}) > 1:
    step = max(set.intersection(*({0, *one.steps()} for one in checkpoints)))
    for place, (one, state) in enumerate(pairs):
      if int(found[place][0].step) != step:
        one.rewind(step)
        found[place] = one.restore(state)
  return found
