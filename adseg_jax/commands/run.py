"""`adseg run`: an experiment over arms, folds and seeds, then the report."""

import collections
import dataclasses
import functools
import shlex
from pathlib import Path
from typing import Annotated

import tyro

from adseg_jax.commands.execute import execute
from adseg_jax.commands.jobs import STATES, Job, plan
from adseg_jax.commands.shares import shares
from adseg_jax.errors import UserError
from adseg_jax.wording import counted

_Words = Annotated[tuple[tuple[str, ...], ...], tyro.conf.UseAppendAction]


@dataclasses.dataclass(frozen=True)
class Arguments:
  """Trains an experiment script with several seeds in its arms, and compares.

  Each schedule has a control beside its arms, named standard: the same with
  adversary.weight 0 and labelled images alone. Without --arm there is one arm,
  adversarial, which is the script's experiment. Each run has a process and a
  folder of its own, WORKDIR/ARM/seedK or WORKDIR/ARM/foldF/seedK; the same
  command again leaves finished runs and continues the others. So do machines
  that share the folder: each takes runs that no other is in, and the last
  writes WORKDIR/report.html, which compares the arms with their control
  (report-CONTROL.html with a further one).

    adseg run experiments/earth.py --seeds 0 1 2 3 4 --workdir runs/table

    adseg run experiments/earth.py --workdir runs/encodings --arm basic
    --arm scaling adversary.encoding scaling adversary.tau 0.8

    adseg run experiments/stanford_background.py --folds 0 1 2 3 4 --seeds 0 1
    --workdir runs/folds --list
  """

  script: tyro.conf.Positional[Path] = Path()
  """Experiment script, such as experiments/earth.py."""
  seeds: tuple[int, ...] = (0, 1, 2)
  """Seeds; each arm is trained with every one of them."""
  folds: tuple[int, ...] = ()
  """Values of data.fold; each arm is trained on every one with every seed.
  Empty: the script's own."""
  arms: Annotated[
      _Words, tyro.conf.arg(name='arm', metavar='NAME FIELD VALUE ...')
  ] = ()
  """An arm: its name, and fields in which it differs from the script, each with
  its value, named as options of the script without the dashes."""
  settings: Annotated[
      _Words, tyro.conf.arg(name='set', metavar='FIELD VALUE')
  ] = ()
  """A field of the experiment and its value, for all arms and controls."""
  jobs: int = 1
  """Runs at once. On a CPU each has an equal part of the cores, and rounds as
  with that number of them; on GPUs it has GPUs of its own, or a part of the
  memory of one. Of several at once, each line begins with the run's name."""
  workdir: str = 'runs/table'
  """Folder of all runs and of the report."""
  listed: Annotated[bool, tyro.conf.arg(name='list')] = False
  """Print the command of every run, a line each, and end: for Slurm's arrays,
  GNU parallel and the like. The same without --list writes the report."""
  amend: bool = False
  """Continue runs with other optimizer.steps, learning rates, evaluation or
  logging, or with files that were replaced; finished ones, if there are more
  steps."""


def run(arguments: Arguments):
  """Runs the command.

  Raises:
    UserError: the script, an arm or a setting can't be used, a folder holds
      another run, the machine can't be shared by so many, or a run failed.
  """
  if not arguments.seeds:
    raise UserError('--seeds: give at least one')
  jobs = plan(
      arguments.script, arguments.seeds, arguments.arms, arguments.workdir,
      arguments.settings, arguments.folds, arguments.amend,
  )
  _check(jobs, arguments.folds, arguments.amend)
  if arguments.listed:
    print('\n'.join(shlex.join(job.command) for job in jobs))
    return
  _show(jobs)
  failed = execute(jobs, shares(arguments.jobs))
  if not all(job.finished for job in jobs):
    _show(jobs)
  if any(job.taken for job in jobs):
    print('Other processes still train: the last of them writes the report, '
          'or the same command then.')
  else:
    _report(jobs, arguments.workdir)
  if failed:
    raise UserError(
        f'{len(failed)} of {counted(len(jobs), "run")} failed '
        f'({"; ".join(job.name for job in failed)}): the same command tries '
        'them again'
    )


def _check(jobs: list[Job], folds, amend: bool):
  """Refuses before hours of training what a run in the middle would refuse."""
  # Slow to import: not before the arguments are read.
  from adseg_jax.data import dataset as datasets
  from adseg_jax.training.record import check
  from adseg_jax.training.validation import method_of

  find = functools.cache(datasets.find)
  for job in jobs:
    data = find(job.experiment.data)
    if folds and not data.folds:
      raise UserError(f'--folds: data set {data.name} has none: leave it out')
    # How many devices there are is known where it runs.
    method_of(job.experiment, data, devices=1)
    check(job.workdir, job.experiment, amend)


def _show(jobs: list[Job]):
  """Prints how many runs of each arm and fold are done, and left."""
  from rich.console import Console
  from rich.table import Table

  shown = Table('runs', box=None, pad_edge=False)
  for state in STATES:
    shown.add_column(state, justify='right')
  rows = collections.defaultdict(collections.Counter)
  for job in jobs:
    rows[job.name.rpartition(',')[0]][job.state] += 1
  for name, counts in rows.items():
    shown.add_row(name, *(str(counts[state]) for state in STATES))
  Console().print(shown)


def _report(jobs: list[Job], workdir: str):
  """Compares finished runs with their control: a page for each control."""
  from rich.console import Console

  from adseg_jax.reporting.report import table, write_report

  for number, control in enumerate(dict.fromkeys(job.control for job in jobs)):
    folders = [
        job.workdir for job in jobs if job.control == control and job.finished
    ]
    if folders:
      Console().print(table(folders))
      name = f'report-{control}.html' if number else 'report.html'
      page = write_report(folders, f'{workdir}/{name}', option='--workdir')
      print(f'Report: {page}')
