"""Many runs of one experiment script: each a command and a folder."""

import dataclasses
import runpy
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from etils import epath

from adseg_jax.commands.arms import Arm
from adseg_jax.commands.arms import arms as find_arms
from adseg_jax.config import Experiment
from adseg_jax.errors import UserError
from adseg_jax.settings import replaced

STATES = 'done', 'being trained', 'begun', 'not begun'


@dataclasses.dataclass(frozen=True)
class Job:
  """A run to make: what a process with this command trains in a workdir.

  Its name is such as 'standard, seed 0'; the control is the arm that it is
  compared with, or is of.
  """

  name: str
  workdir: epath.Path
  experiment: Experiment
  command: tuple[str, ...]
  control: str = ''

  @property
  def finished(self) -> bool:
    """Whether the run has the scores of its last step."""
    from adseg_jax.training.run import finished  # slow to import

    return finished(self.workdir, self.experiment)

  @property
  def taken(self) -> bool:
    """Whether a process trains it, here or on a machine that has the folder."""
    from adseg_jax.training.run import taken  # slow to import

    return taken(self.workdir)

  @property
  def begun(self) -> bool:
    """Whether the run has claimed its folder."""
    return (self.workdir / 'experiment.json').exists()

  @property
  def state(self) -> str:
    """One of STATES."""
    facts = self.finished, self.taken, self.begun, True
    return STATES[facts.index(True)]


def load(script: Path) -> Experiment:
  """The EXPERIMENT of an experiment script; its main function is not run.

  Raises:
    UserError: the script can't be run, or holds no experiment.
  """
  if not script.is_file():
    raise UserError(f'{script}: no such experiment script')
  sys.path.insert(0, str(script.parent))  # as Python does for a script
  try:
    names = runpy.run_path(str(script), run_name='experiment_script')
  except (Exception, SystemExit) as error:
    raise UserError(
        f'{script} can not be loaded ({type(error).__name__}: {error})'
    ) from error
  finally:
    sys.path.remove(str(script.parent))
  experiment = names.get('EXPERIMENT')
  if not isinstance(experiment, Experiment):
    raise UserError(
        f'{script} holds no experiment: give a script whose EXPERIMENT is an '
        'adseg_jax.config.Experiment'
    )
  return experiment


def plan(
    script: Path,
    seeds: Iterable[int],
    arms: Iterable[Sequence[str]],
    workdir: epath.PathLike,
    settings: Iterable[Sequence[str]] = (),
    folds: Iterable[int] = (),
    amend: bool = False,
) -> list[Job]:
  """The runs of a script over folds, seeds and arms: one seed after the other.

  Arguments are those of `adseg run`. Run k of an arm lies in WORKDIR/ARM/seedK,
  or, where folds are given, in WORKDIR/ARM/foldF/seedK.

  Raises:
    UserError: the script, a setting or an arm can't be used.
  """
  given = load(script)
  found = find_arms(given, script, settings, arms)
  if folds and found[0].experiment.data.fold != given.data.fold:
    raise UserError('--set data.fold: give either it or --folds')
  return [
      _job(script, arm, epath.Path(workdir), seed, fold, amend)
      for seed in dict.fromkeys(seeds)
      for fold in dict.fromkeys(folds or [None])
      for arm in found
  ]


def _job(script, arm: Arm, workdir, seed: int, fold: int | None, amend: bool):
  name, folder, settings = arm.name, workdir / arm.name, {'seed': seed}
  if fold is not None:
    name, folder = f'{name}, fold {fold}', folder / f'fold{fold}'
    settings['data.fold'] = fold
  folder /= f'seed{seed}'
  own = [
      word for field, value in settings.items()
      for word in (f'--{field}', str(value))
  ]
  return Job(
      f'{name}, seed {seed}', folder, replaced(arm.experiment, settings),
      (sys.executable, str(script), '--workdir', str(folder), *own,
       *arm.options, *['--amend'] * amend), arm.control,
  )
