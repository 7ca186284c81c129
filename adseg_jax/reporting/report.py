"""One HTML page from one or many runs, and their scores as tables."""

import itertools

from etils import epath
from rich.console import Group
from rich.text import Text

from adseg_jax import files
from adseg_jax.errors import UserError
from adseg_jax.reporting import vega
from adseg_jax.reporting.arms import score, study
from adseg_jax.reporting.numbers import duration, spread
from adseg_jax.reporting.page import drawn, page
from adseg_jax.reporting.pages import writing
from adseg_jax.reporting.runs import MEASURES, read_runs
from adseg_jax.reporting.sheets import markdown, table_csv
from adseg_jax.reporting.tables import Row, Table, terminal
from adseg_jax.reporting.verdicts import sentences


def write_report(
    workdirs: list[epath.PathLike], output: epath.PathLike,
    figures: epath.PathLike = '', option: str = '--output',
) -> epath.Path:
  """Writes a self-contained HTML page about finished runs.

  Its tables lie beside it as Markdown (.md) and CSV (.csv).

  Args:
    workdirs: folders of runs on the same data set. Those that differ in their
      seed only are one arm; arms are compared with the first whose lambda is
      0, or else with the first.
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
  texts = {'.md': markdown(found), '.csv': table_csv(found)}
  texts['.html'] = page(found)
  with writing(option, output):
    output.parent.mkdir(parents=True, exist_ok=True)
    for suffix, text in texts.items():
      files.write(output.with_suffix(suffix), text.encode())
  if figures:
    with writing('--figures', figures):
      shown = drawn(found).values()
      vega.write(itertools.chain.from_iterable(shown), epath.Path(figures))
  return output


def table(workdirs: list[epath.PathLike]) -> Group:
  """The scores of finished runs on every split, for a terminal.

  A row per arm and split, and what the arms' differences show.

  Raises:
    UserError: a folder holds no finished run, the data sets differ, or a run
      is named twice.
  """
  found = study(read_runs(workdirs))
  rows = [
      Row(_cells(found, arm, split))
      for split in found.splits for arm in found.arms
  ]
  # The one setting that differs is the heading: 80 columns are soon full.
  first = found.arms[0]
  setting = first.name.removesuffix(f' {first.short}')
  title = 'arm' if setting == first.name else setting
  head = [title, 'split', 'seeds'] if found.has_seeds else ['run', 'λ', 'split']
  head += ['mean IoU', 'pixel acc.', 'class acc.']
  shown = terminal(
      Table(head + ['time'] * (not found.has_seeds), rows), left=('split',)
  )
  named = [arm.name for arm in found.arms if arm.label != arm.name]
  return Group(shown, *map(Text, [*named, *sentences(found)]))


def _cells(found, arm, split):
  scores = [spread(arm.summary(score(split, key))) for key in MEASURES]
  if found.has_seeds:
    return [arm.short or arm.name, split, str(len(arm.runs)), *scores]
  return [
      arm.first.name, f'{arm.weight:g}', split, *scores,
      duration(arm.first.seconds),
  ]
