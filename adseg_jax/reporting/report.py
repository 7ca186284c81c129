"""One HTML page from one or many runs, and their scores as a short table."""

import os
from pathlib import Path

from rich.table import Table
from rich.text import Text

from adseg_jax.reporting.page import page
from adseg_jax.reporting.runs import MEANS, read_runs
from adseg_jax.reporting.tables import duration, ratio


def write_report(workdirs: list[Path], output: Path) -> Path:
  """Writes a self-contained HTML page about finished runs.

  Args:
    workdirs: folders of runs on the same data set; the first is the main run,
      the others, such as its control, stand beside it.
    output: file to write; replaced at once if it exists.

  Returns:
    The file.

  Raises:
    UserError: a folder holds no finished run, or the data sets differ.
  """
  text = page(read_runs(workdirs))
  output = Path(output)
  output.parent.mkdir(parents=True, exist_ok=True)
  beside = output.with_name(output.name + '.partial')
  beside.write_text(text, 'utf-8')
  os.replace(beside, output)
  return output


def table(workdirs: list[Path]) -> Table:
  """The scores of finished runs, a row a run, for a terminal.

  Raises:
    UserError: a folder holds no finished run, or the data sets differ.
  """
  result = Table(box=None, pad_edge=False)
  result.add_column('run')
  for title in (
      'λ', 'steps', 'mean IoU', 'pixel acc.', 'class acc.', 'time'
  ):
    result.add_column(title, justify='right', no_wrap=True)
  for run in read_runs(workdirs):
    result.add_row(
        Text(run.name), f'{run.weight:g}', str(run.scores['step']),
        *(ratio(run.scores[key]) for key in MEANS),
        duration(run.scores['seconds']),
    )
  return result
