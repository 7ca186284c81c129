"""Many runs of one experiment script: each a command and a folder."""

import dataclasses
import runpy
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import tyro
from etils import epath

from adseg_jax.commands import cli
from adseg_jax.config import Experiment
from adseg_jax.errors import UserError

ArmName = Literal['standard', 'adversarial']


@dataclasses.dataclass(frozen=True)
class Job:
  """A run to make.

  Attributes:
    name: shown to a person, such as 'standard, seed 0'.
    workdir: folder of the run.
    experiment: what is trained, resolved.
    command: the process that trains it.
  """

  name: str
  workdir: epath.Path
  experiment: Experiment
  command: tuple[str, ...]

  @property
  def finished(self) -> bool:
    """Whether the run has the scores of its last step."""
    from adseg_jax.training.run import finished  # slow to import

    return finished(self.workdir, self.experiment)

  @property
  def begun(self) -> bool:
    """Whether the run has claimed its folder."""
    return (self.workdir / 'experiment.json').exists()


@dataclasses.dataclass(frozen=True)
class _Fields:
  experiment: Annotated[Experiment, tyro.conf.arg(name='')]


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


def override(
    experiment: Experiment, options: list[str], script: Path
) -> Experiment:
  """The experiment with the script's own options applied.

  Raises:
    UserError: an option is none of the experiment's, or can't have its value.
  """
  try:
    return cli.parse(_Fields, _Fields(experiment), '', options).experiment
  except UserError as error:
    message = str(error).replace(
        '--help lists all options',
        f'python {script} --help lists the fields',
    )
    raise UserError(f'--set: {message}') from None


def plan(
    script: Path,
    seeds: Iterable[int],
    arms: Iterable[ArmName],
    workdir: epath.PathLike,
    settings: Iterable[tuple[str, ...]] = (),
    amend: bool = False,
) -> list[Job]:
  """The runs of a script over arms and seeds, seed by seed.

  The standard arm is the control: the same experiment with lambda = 0.

  Args:
    script: an experiment script.
    seeds: of the key and the data stream; the same for every arm.
    arms: names of arms.
    workdir: run k of an arm lies in WORKDIR/ARM/seedK.
    settings: a field's dotted name and its value's words, each.
    amend: whether a run may go on with settings that changed.

  Raises:
    UserError: the script, a setting or the arms can't be used.
  """
  options = []
  for words in settings:
    if len(words) < 1:
      raise UserError('--set: give a field and its value')
    options += [f'--{words[0]}', *words[1:]]
  given = load(script)
  adversarial = override(given, options, script)
  if adversarial.seed != given.seed:
    raise UserError('--set seed: give --seeds instead')
  if 'adversarial' in arms and not adversarial.adversary.weight:
    raise UserError(
        f'the adversarial arm of {script} has adversary.weight 0, as the '
        'standard arm: give --set adversary.weight 0.1, or --arms standard'
    )
  control = cli.control_of(adversarial)
  kinds = {
      'adversarial': (adversarial, options),
      'standard': (control, [
          *options, '--name', control.name, '--adversary.weight', '0'
      ]),
  }
  jobs = []
  for seed in dict.fromkeys(seeds):
    for arm in dict.fromkeys(arms):
      experiment, words = kinds[arm]
      folder = epath.Path(workdir) / arm / f'seed{seed}'
      command = [
          sys.executable, str(script), '--workdir', str(folder),
          '--seed', str(seed), *words, *['--amend'] * amend,
      ]
      jobs.append(Job(
          f'{arm}, seed {seed}', folder,
          dataclasses.replace(experiment, seed=seed), tuple(command),
      ))
  return jobs
