r"""The verdict: a figure and tables of finished runs on several data sets.

  python experiments/verdict/page.py runs/verdict/*/*/seed* \
      runs/verdict/*/*/fold*/seed* --figure docs/verdict.svg

Runs are those that PROTOCOL.md names, or others: on each data set an arm and
its control, paired by seed and fold. The figure has a row a data set; the
tables are printed as Markdown. Give the runs of the arms that are to be shown:
Holm's correction is for all rows.
"""

import dataclasses
import math
import shlex
from typing import NamedTuple

import tyro
from etils import epath

from adseg_jax import files
from adseg_jax.commands import cli
from adseg_jax.errors import UserError
from adseg_jax.evaluation import evidence
from adseg_jax.evaluation.evidence import MARGIN
from adseg_jax.evaluation.statistics import Difference
from adseg_jax.files import writing
from adseg_jax.reporting import numbers, vega, verdicts
from adseg_jax.reporting.arms import Arm, Study, score, study
from adseg_jax.reporting.numbers import chance, difference, interval, spread
from adseg_jax.reporting.runs import read_run, read_runs
from adseg_jax.reporting.sheets import lines
from adseg_jax.reporting.tables import Row, Table
from adseg_jax.reporting.vega import Chart, field, layer
from adseg_jax.wording import counted

NAMES = {
    'earth': 'Earth', 'jsrt': 'JSRT', 'camvid': 'CamVid',
    'stanford_background': 'Stanford Background',
}
# Options by which the runs of an arm differ, or that say where files lie.
_OF_A_RUN = (
    '--workdir', '--seed', '--data.fold', '--data.root', '--data.prepared'
)
_POINT = {'type': 'point', 'filled': True}
_TITLE = {
    'text': 'Does the adversary help?', 'anchor': 'start', 'fontSize': 17,
    'color': 'var(--ink)', 'subtitleColor': 'var(--faint)', 'offset': 12,
    'subtitleFontSize': 12.5, 'subtitle': [
        'A dot is a pair of runs, the diamond their mean, the line its 95 % '
        'interval;',
        f'in the grey band, ±{MARGIN:g}, a difference hardly matters.',
    ],
}


@dataclasses.dataclass(frozen=True)
class Arguments:
  """Which runs, and where the figure goes."""

  workdirs: tyro.conf.Positional[tuple[str, ...]] = ()
  """Folders of finished runs, of any data sets."""
  figure: str = 'verdict.svg'
  """File for the figure; replaced if it exists."""


class Verdict(NamedTuple):
  """An arm against its control on a data set: the last step's mean IoU.

  The split is the test split where there is one, or else the held-out images.
  """

  name: str
  study: Study
  arm: Arm
  split: str

  @property
  def found(self) -> Difference:
    """The arm's mean IoU minus the control's, paired by seed and fold."""
    return self.study.difference(self.arm, score(self.split, 'mean_iou'))


def widen(found: Difference, folds: int) -> Difference:
  """An interval that allows for training images that folds share.

  The variance has 1 / pairs + held-out / training images in place of 1 / pairs
  (Nadeau and Bengio 2003, "Inference for the generalization error").

  Args:
    found: over every fold, 2 or more, and any seeds.
    folds: how many.
  """
  widening = math.sqrt(1 + len(found.pairs) / (folds - 1))
  reach = (found.high - found.low) / 2 * widening
  return found._replace(low=found.mean - reach, high=found.mean + reach)


def read(folders: tuple[str, ...]) -> list[Verdict]:
  """A verdict for each arm of each data set, in the order of the folders.

  Raises:
    UserError: a folder holds no finished run, or a data set has no control, or
      nothing else.
  """
  groups, found = {}, []
  for folder in folders:
    groups.setdefault(read_run(folder).dataset['name'], []).append(folder)
  for name, members in groups.items():
    one = study(read_runs(members))
    if not one.reference or not one.reference.is_control:
      raise UserError(
          f'{members[0]}: {"an" if one.reference else "the only"} arm on '
          f'{name} without its control: name the runs of both'
      )
    name = NAMES.get(name, name)
    found += [
        Verdict(
            name if len(one.rivals) == 1 else f'{name}, {arm.label}', one, arm,
            one.splits[-1],
        ) for arm in one.rivals
    ]
  if not found:
    raise UserError('no run was named: give the folders of finished runs')
  return found


def _label(one: Verdict) -> str:
  """Of a row; the bar breaks it into lines."""
  return f'{one.name}|{one.split}, {counted(len(one.found.pairs), "pair")}'


def forest(found: list[Verdict]) -> Chart:
  """A row per verdict: pairs, mean, 95 % interval; a band of equivalence."""
  labels = [_label(one) for one in found]
  pairs = [
      {'row': label, 'value': value}
      for label, one in zip(labels, found, strict=True)
      for value in one.found.values
  ]
  means = [
      {'row': label, 'value': one.found.mean, 'low': one.found.low,
       'high': one.found.high, 'text': difference(one.found.mean)}
      for label, one in zip(labels, found, strict=True)
  ]
  ends = [row[key] for row in means for key in ('low', 'high')]
  x = {'axis': {'title': 'mean IoU with the adversary minus without'},
       'scale': vega.scale([
           -MARGIN, MARGIN, *ends, *(row['value'] for row in pairs)
       ])}
  y = field('row', 'nominal', scale={'domain': labels}, axis={
      'title': None, 'grid': False, 'labelLimit': 0,
      'labelColor': 'var(--ink)', 'labelExpr': "split(datum.label, '|')",
  })
  chart = vega.layered(
      'Verdict', '', [*_behind(x), *_marks(pairs, means, x, y)], 640,
      100 + 66 * len(found), background='var(--paper)',
  )
  return dataclasses.replace(
      chart, spec=chart.spec | {'title': _TITLE, 'padding': 12}
  )


def _behind(x: dict) -> list[dict]:
  """The band in which a difference hardly matters, and 0."""
  band = [{'low': -MARGIN, 'high': MARGIN}]
  return [
      layer({'type': 'rect', 'color': 'var(--rule)', 'opacity': 0.6}, band,
            x=field('low', **x), x2={'field': 'high'}),
      layer({'type': 'rule', 'color': 'var(--faint)'}, [{'value': 0}],
            x=field('value', **x)),
  ]


def _marks(pairs: list[dict], means: list[dict], x: dict, y: dict):
  """Dots of the pairs; below them mean, interval and number."""
  at = {'y': y, 'x': field('value', **x)}
  reach = {'y': y, 'x': field('low', **x), 'x2': {'field': 'high'}}
  ink = {'color': 'var(--ink)', 'opacity': 1}
  return [
      layer(_POINT | {'size': 22, 'opacity': 0.55, 'color': 'var(--c0)',
                      'yOffset': -14}, pairs, **at),
      layer({'type': 'rule', 'strokeWidth': 2.2} | ink, means,
            **reach),
      layer(_POINT | {'shape': 'diamond', 'size': 80} | ink,
            means, **at),
      layer({'type': 'text', 'yOffset': 14, 'fontSize': 12.5} | ink, means,
            **at, text=field('text', 'nominal')),
  ]


def table(found: list[Verdict]) -> Table:
  """A row per verdict: both arms, their difference, and what it shows."""
  shown = [evidence.weigh(one.found.values) for one in found]
  corrected = evidence.holm([
      one.p_t if one else math.nan for one in shown
  ])
  rows = []
  for one, tests, holm in zip(found, shown, corrected, strict=True):
    measure = score(one.split, 'mean_iou')
    rows.append(Row([
        one.name, one.split, str(len(one.found.pairs)),
        spread(one.study.reference.summary(measure)),
        spread(one.arm.summary(measure)), difference(one.found.mean),
        interval(one.found),
        *((chance(tests.p_t), chance(holm), chance(tests.p_sign_flips),
           chance(tests.p_equivalence)) if tests else 4 * [numbers.NONE]),
        verdicts.briefly(one.found),
    ]))
  return Table(
      ['data', 'split', 'pairs', 'without', 'with', 'difference',
       '95 % interval', 'p, t', 'p, Holm', 'p, sign flips',
       f'p, equivalence ±{MARGIN:g}', 'what the interval shows'], rows,
      'Mean IoU of the last step, mean ± standard deviation over the runs. p, '
      f'equivalence: below 0.05 differences beyond ±{MARGIN:g} are excluded.',
  )


def made(found: list[Verdict]) -> Table:
  """A row per arm: command, seeds, commit, machine and time."""
  arms = {
      id(arm): (one.name, arm) for one in found
      for arm in (one.study.reference, one.arm)
  }
  return Table(
      ['data', 'seeds', 'commit', 'machine', 'time a run', 'command'],
      [_made(*one) for one in arms.values()],
      f'Without {", ".join(_OF_A_RUN)}.',
  )


def _made(name: str, arm: Arm) -> Row:
  runs = arm.runs.values()
  starts = [start for run in runs for start in run.starts]
  versions = starts[0]['versions']

  def several(values):
    return ', '.join(dict.fromkeys(map(str, values)))

  folds = several(run.settings['data.fold'] for run in runs)
  seeds = several(run.settings['seed'] for run in runs)
  times = [run.seconds for run in runs]
  return Row([
      name, seeds + f'; folds {folds}' * (',' in folds),
      several(start['commit'] or 'unknown' for start in starts),
      f'{several(start["devices"] for start in starts)}, '
      f'jax {versions["jax"]}',
      f'{numbers.duration(min(times))} to {numbers.duration(max(times))}',
      f'`{shlex.join(settings(arm.first.command))}`',
  ])


def settings(command: str) -> list[str]:
  """The words of a run's command that all runs of its arm share."""
  words, kept = iter(shlex.split(command)), []
  for word in words:
    if word in _OF_A_RUN:
      next(words)
    elif word.partition('=')[0] not in _OF_A_RUN:
      kept.append(word)
  return kept


def said(found: list[Verdict]) -> list[str]:
  """What the pairs show, and what to know before it is believed."""
  rows = []
  for one in found:
    rows.append(
        f'{one.name}: {difference(one.found.mean)}; '
        f'{verdicts.plainly(one.found)}{verdicts.further(one.found)}.'
    )
    if one.study.folds > 1:
      wide = interval(widen(one.found, one.study.folds))
      rows.append(
          f'{one.name}: with an allowance for images that folds share the '
          f'interval is {wide} (Nadeau and Bengio 2003).'
      )
    rows += [f'{one.name}: {text}' for text in verdicts.cautions(one.study)]
  return list(dict.fromkeys(rows))


def run(arguments: Arguments):
  """Draws the figure and prints the tables.

  Raises:
    UserError: runs can't be compared, or the figure can't be written.
  """
  figure = epath.Path(arguments.figure)
  if figure.suffix != '.svg':
    raise UserError(f'--figure {figure}: give a name that ends in .svg')
  found = read(arguments.workdirs)
  with writing('--figure', figure):
    figure.parent.mkdir(parents=True, exist_ok=True)
    files.write(figure, vega.on_paper(forest(found)).encode())
  print('\n'.join([
      *lines(table(found)), *(f'- {text}' for text in said(found)), '',
      *lines(made(found)), f'Figure: {figure}',
  ]))


if __name__ == '__main__':
  cli.guard(lambda: run(cli.parse(Arguments, Arguments(), __doc__)))
