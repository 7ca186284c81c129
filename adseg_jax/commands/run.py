"""`adseg run`: an experiment over seeds and arms, then the report."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from adseg_jax.commands.execute import execute
from adseg_jax.commands.jobs import ArmName, plan
from adseg_jax.commands.shares import shares
from adseg_jax.errors import UserError
from adseg_jax.wording import counted


@dataclasses.dataclass(frozen=True)
class Arguments:
  """Trains an experiment script with several seeds in two arms, and compares.

  The standard arm is the control, adversary.weight 0; the adversarial arm is
  the script's experiment. Each run has a process and a folder of its own,
  WORKDIR/ARM/seedK; the same command again leaves finished runs and continues
  the others. At the end WORKDIR/report.html compares the arms.

    adseg run experiments/earth.py --seeds 0 1 2 3 4 --workdir runs/table

    adseg run experiments/earth.py --seeds 5 6 --workdir runs/weaker
    --set adversary.weight 0.02 --set data.crop 64 64
  """

  script: tyro.conf.Positional[Path] = Path()
  """Experiment script, such as experiments/earth.py."""
  seeds: tuple[int, ...] = (0, 1, 2)
  """Seeds; each arm is trained with every one of them."""
  arms: tuple[ArmName, ...] = ('standard', 'adversarial')
  """Arms to train."""
  jobs: int = 1
  """Runs at once. On a CPU each has an equal part of the cores, and rounds as
  with that number of them; on GPUs it has GPUs of its own, or a part of the
  memory of one. Of several at once, each line begins with the run's name."""
  workdir: str = 'runs/table'
  """Folder of all runs and of the report."""
  settings: Annotated[
      tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]],
      tyro.conf.arg(name='set', metavar='FIELD VALUE'),
  ] = ()
  """A field of the experiment, for both arms, as an option of the script
  without its dashes."""
  amend: bool = False
  """Continue runs with other optimizer.steps, learning rates, evaluation or
  logging, or with files that were replaced; finished ones, if there are more
  steps."""


def run(arguments: Arguments):
  """Runs the command.

  Raises:
    UserError: the script or a setting can't be used, a folder holds another
      run, the machine can't be shared by so many, or a run failed.
  """
  if not arguments.seeds or not arguments.arms:
    raise UserError('give at least one of --seeds and one of --arms')
  jobs = plan(
      arguments.script, arguments.seeds, arguments.arms, arguments.workdir,
      arguments.settings, arguments.amend,
  )
  # Slow to import: not before the arguments are read.
  from rich.console import Console

  from adseg_jax.reporting.report import table, write_report
  from adseg_jax.training.record import check

  # Before hours of training: a folder in the middle may hold another run.
  for job in jobs:
    check(job.workdir, job.experiment, arguments.amend)
  failed = execute(jobs, shares(arguments.jobs))
  folders = [job.workdir for job in jobs if job.finished]
  if folders:
    Console().print(table(folders))
    page = write_report(
        folders, f'{arguments.workdir}/report.html', option='--workdir'
    )
    print(f'Report: {page}')
  if failed:
    raise UserError(
        f'{len(failed)} of {counted(len(jobs), "run")} failed '
        f'({"; ".join(job.name for job in failed)}): the same command tries '
        'them again'
    )
