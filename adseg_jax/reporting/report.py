"""One HTML page from one or many runs, and their scores as tables."""

import itertools

from etils import epath
from rich.console import Group
from rich.text import Text

from adseg_jax import files
from adseg_jax.errors import UserError
from adseg_jax.reporting import (
    health,
    outlines,
    panels,
    tables,
    vega,
    verdicts,
)
from adseg_jax.reporting.arms import Study, score, study
from adseg_jax.reporting.charts import drawn
from adseg_jax.reporting.pages import render
from adseg_jax.reporting.pictures import legend
from adseg_jax.reporting.runs import MEASURES, read_runs
from adseg_jax.reporting.sheets import markdown, table_csv


def write_report(
    workdirs: list[epath.PathLike], output: epath.PathLike,
    figures: epath.PathLike = '', option: str = '--output',
) -> epath.Path:
  """Writes a self-contained HTML page about finished runs.

  Its tables lie beside it as Markdown (.md) and CSV (.csv).

  Args:
    workdirs: folders of runs on the same data set. Those that differ in their
      seed or fold only are one arm; arms are compared with the first whose
      lambda is 0, or else with the first.
    output: file to write, .html; replaced at once if it exists.
    figures: folder for every chart as .svg and .pdf; '' writes none.
    option: what named the output, for messages.

  Returns:
    The page.

  Raises:
    UserError: a folder holds no finished run, the data sets differ, a run is
      named twice, or the output or the figures can't be written.
  """
  output = epath.Path(output)
  if output.suffix != '.html':
    raise UserError(f'{option} {output}: give a name that ends in .html')
  found = study(read_runs(workdirs))
  charts = drawn(found)
  texts = {
      '.md': markdown(found), '.csv': table_csv(found),
      '.html': page(found, charts),
  }
  with files.writing(option, output):
    output.parent.mkdir(parents=True, exist_ok=True)
    for suffix, text in texts.items():
      files.write(output.with_suffix(suffix), text.encode())
  if figures:
    with files.writing('--figures', figures):
      shown = itertools.chain.from_iterable(charts.values())
      vega.write(shown, epath.Path(figures))
  return output


def page(study: Study, charts: dict[str, list[vega.Chart]]) -> str:
  """The report."""
  dataset = study.main.first.dataset
  return render(
      'report.html', study=study, charts=charts,
      title=study.main.first.settings['name'],
      legend=legend(dataset['classes'], dataset['palette']), health=health,
      made=_made(study), measures=MEASURES, outlines=outlines, panels=panels,
      score=score, tables=tables, verdicts=verdicts,
  )


def _made(study):
  """Devices, commit and versions -> name -> run that was made with them."""
  groups = {}
  for name, run in study.runs.items():
    for one in run.starts:
      versions = ', '.join(f'{k} {v}' for k, v in one['versions'].items())
      commit = one['commit'] or 'unknown'
      text = f'{one["devices"]}; commit {commit}; {versions}'
      groups.setdefault(text, {})[name] = run
  return groups


def table(workdirs: list[epath.PathLike]) -> Group:
  """The scores of finished runs on every split, for a terminal.

  A row per arm and split, and what the arms' differences show.

  Raises:
    UserError: a folder holds no finished run, the data sets differ, or a run
      is named twice.
  """
  found = study(read_runs(workdirs))
  named = [arm.name for arm in found.arms if arm.label != arm.name]
  said = [*named, *verdicts.sentences(found)]
  shown = tables.terminal(tables.brief(found), left=('split',))
  return Group(shown, *map(Text, said))
