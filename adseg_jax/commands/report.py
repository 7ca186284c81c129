"""`adseg report`: one page about many runs."""

import dataclasses

import tyro


@dataclasses.dataclass(frozen=True)
class Arguments:
  """One page about finished runs; its tables beside it, as .md and .csv.

  Runs that differ in their seed (or data.fold) only are one arm. Arms are
  compared with the control (adversary.weight 0), or else with the first that is
  named: means, standard deviations, and paired differences with their 95 %
  confidence interval, tests, and how many pairs would show more.

    adseg report runs/mine

    adseg report runs/table/*/seed* --output table.html

    adseg report runs/table/*/seed* --figures paper/figures
  """

  workdirs: tyro.conf.Positional[tuple[str, ...]] = ()
  """Folders of finished runs on one data set."""
  output: str = 'report.html'
  """File to write; replaced if it exists."""
  figures: str = ''
  """Folder for every chart as .svg and .pdf, in the colours of paper; empty:
  none is written."""


def run(arguments: Arguments):
  """Runs the command.

  Raises:
    UserError: a folder holds no finished run, the runs can't be compared, or
      a file can't be written.
  """
  # Slow to import: not before the arguments are read.
  from rich.console import Console

  from adseg_jax.reporting.report import table, write_report

  Console().print(table(list(arguments.workdirs)))
  page = write_report(
      list(arguments.workdirs), arguments.output, arguments.figures
  )
  print(f'Report: {page}')
