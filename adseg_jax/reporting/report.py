"""One HTML page from one or many runs, and their scores as tables."""

from etils import epath
from rich.console import Group
from rich.table import Table
from rich.text import Text

from adseg_jax import files
from adseg_jax.errors import UserError
from adseg_jax.reporting.arms import Study, score, study
from adseg_jax.reporting.numbers import duration, spread
from adseg_jax.reporting.page import page
from adseg_jax.reporting.runs import MEASURES, read_runs
from adseg_jax.reporting.sheets import markdown, table_csv
from adseg_jax.reporting.verdicts import sentences

_SHORT = {
    'mean_iou': 'mean IoU', 'pixel_accuracy': 'pixel acc.',
    'class_accuracy': 'class acc.',
}


def write_report(
    workdirs: list[epath.PathLike], output: epath.PathLike
) -> epath.Path:
  """Writes a self-contained HTML page about finished runs.

  Its tables lie beside it as Markdown (.md) and CSV (.csv).

  Args:
    workdirs: folders of runs on the same data set. Those that differ in their
      seed only are one arm; arms are compared with the first whose lambda is
      0, or else with the first.
    output: file to write, .html; replaced at once if it exists.

  Returns:
    The page.

  Raises:
    UserError: a folder holds no finished run, the data sets differ, a run is
      named twice, or the output can't be written.
  """
  output = epath.Path(output)
  if output.suffix != '.html':
    raise UserError(f'--output {output}: give a name that ends in .html')
  found = study(read_runs(workdirs))
  texts = {'.md': markdown(found), '.csv': table_csv(found)}
  texts['.html'] = page(found)
  try:
    output.parent.mkdir(parents=True, exist_ok=True)
    for suffix, text in texts.items():
      files.write(output.with_suffix(suffix), text.encode())
  except OSError as error:
    raise UserError(
        f'--output {output}: cannot be written ({error.strerror}): give '
        'another file'
    ) from error
  return output


def table(workdirs: list[epath.PathLike]) -> Group:
  """The scores of finished runs on every split, for a terminal.

  A row per arm and split, and what the arms' differences show.

  Raises:
    UserError: a folder holds no finished run, the data sets differ, or a run
      is named twice.
  """
  found = study(read_runs(workdirs))
  rows = _over_seeds(found) if found.has_seeds else _single(found)
  named = [arm.name for arm in found.arms if arm.label != arm.name]
  return Group(rows, *map(Text, [*named, *sentences(found)]))


def _empty(first: list[str], last: list[str]) -> Table:
  result = Table(box=None, pad_edge=False)
  result.add_column(first[0])
  for title in (*first[1:], *_SHORT.values(), *last):
    left = title == 'split'
    result.add_column(
        title, justify='left' if left else 'right', no_wrap=True
    )
  return result


def _over_seeds(found: Study) -> Table:
  # The one setting that differs is the heading: 80 columns are soon full.
  first = found.arms[0]
  setting = first.name.removesuffix(f' {first.short}')
  title = 'arm' if setting == first.name else setting
  result = _empty([title, 'split', 'seeds'], [])
  for split in found.splits:
    for arm in found.arms:
      result.add_row(
          Text(arm.short or arm.name), split, str(len(arm.runs)),
          *(spread(arm.summary(score(split, key))) for key in MEASURES),
      )
  return result


def _single(found: Study) -> Table:
  result = _empty(['run', 'λ', 'split'], ['time'])
  for split in found.splits:
    for arm in found.arms:
      result.add_row(
          Text(arm.first.name), f'{arm.weight:g}', split,
          *(spread(arm.summary(score(split, key))) for key in MEASURES),
          duration(arm.first.seconds),
      )
  return result
