"""The tables of a report, for a page and for Markdown."""

import dataclasses
import json
from typing import NamedTuple

import rich.table
from rich.text import Text

from adseg_jax.config import Experiment, flatten
from adseg_jax.reporting import numbers
from adseg_jax.reporting.arms import Study, class_score, differing, score
from adseg_jax.reporting.numbers import NONE, difference, interval, spread
from adseg_jax.reporting.pictures import css
from adseg_jax.reporting.runs import MEASURES
from adseg_jax.reporting.vega import colour
from adseg_jax.reporting.verdicts import briefly


class Row(NamedTuple):
  """Cells, of which the first is the heading, and how they look.

  The colour is that of a square before the heading: '' for none, or 'void'.
  """

  cells: list[str]
  colour: str = ''
  strong: bool = False


class Table(NamedTuple):
  """Titles, rows, a sentence below, a style, and the cells of a last row."""

  head: list[str]
  rows: list[Row]
  note: str = ''
  style: str = 'full'
  foot: list[str] = ()


def terminal(table: Table, left: tuple[str, ...] = ()) -> rich.table.Table:
  """A table for a terminal; numbers, which are not named, stand to the right.
  """
  first, *others = table.head
  shown = rich.table.Table(box=None, pad_edge=False)
  shown.add_column(Text(first))
  for title in others:
    side = 'left' if title in left else 'right'
    shown.add_column(Text(title), justify=side, no_wrap=title != 'where')
  for row in table.rows:
    shown.add_row(*map(Text, row.cells))
  return shown


def _scores(arm, split):
  return [spread(arm.summary(score(split, key))) for key in MEASURES]


def arms(study: Study) -> Table:
  """A row per arm and split: mean ± standard deviation, and cost."""
  rows = []
  for split in study.splits:
    for arm in study.arms:
      if arm.by_seed(lambda run, split=split: run.on(split)):
        name = arm.name + ' (reference)' * (arm is study.reference)
        rows.append(Row([
            name, split, str(len(arm.runs)), *_scores(arm, split),
            spread(arm.summary(lambda run: run.pace()), numbers.pace),
            numbers.duration(arm.summary(lambda run: run.seconds).mean),
        ], colour(arm.colour), strong=arm is study.main))
  means = 'Mean ± sample standard deviation over the seeds. '
  return Table(
      ['arm', 'split', 'seeds', *MEASURES.values(), 'images per second',
       'time per run'], rows, means * study.has_seeds +
      'Images per second: a run\'s median over its training steps.',
      'full words',
  )


def differences(study: Study) -> Table:
  """A row per rival, split and measure: difference, interval, what it shows."""
  rows = []
  for arm in study.rivals:
    for split in study.splits:
      for key, name in MEASURES.items():
        found = study.difference(arm, score(split, key))
        of = f', {arm.short}' if len(study.rivals) > 1 else ''
        rows.append(Row([
            name + of, split, difference(found.mean), interval(found),
            str(len(found.seeds)), briefly(found),
        ]))
  how = (
      '; Student\'s t interval of the mean difference. Of twenty such '
      'intervals one is expected to miss its true value by chance.'
  ) if study.has_seeds else '.'
  whose = study.main.label if len(study.rivals) == 1 else 'Each arm'
  return Table(
      ['difference', 'split', 'mean', '95 % interval', 'common seeds',
       'what the interval shows'], rows, rows and
      f'{whose} minus {study.reference.label}, paired by seed{how}',
      'full words',
  )


def every_run(study: Study) -> Table:
  """A row per run and split."""
  return Table(
      ['arm', 'seed', 'split', *MEASURES.values(), 'steps',
       'images per second', 'time', 'folder'],
      [
          Row([
              arm.label, str(seed), one['split'],
              *(numbers.ratio(one[key]) for key in MEASURES),
              f'{one["step"]:,}', numbers.pace(run.pace()),
              numbers.duration(run.seconds), str(run.folder),
          ])
          for arm in study.arms for seed, run in arm.runs.items()
          for one in run.scored
      ],
  )


def _pixels(study, split):
  """Share of every class among the pixels that are scored."""
  one = next(
      run.on(split) for arm in study.arms for run in arm.runs.values()
      if run.on(split)
  )
  counts = [each['pixels'] for each in one['classes']]
  total = sum(counts)
  return [f'{count / total:.1%}' if total else NONE for count in counts]


def _comparison(study, measure):
  """IoU of every arm; of every rival the difference and its interval."""
  cells = [spread(arm.summary(measure)) for arm in study.arms]
  for arm in study.rivals:
    found = study.difference(arm, measure)
    cells += [difference(found.mean)]
    cells += [interval(found)] * study.has_seeds
  return cells


def _class_head(study):
  head = ['class', 'pixels']
  if not study.reference:
    return [*head, 'IoU', 'accuracy', 'precision']
  head += [f'IoU, {arm.label}' for arm in study.arms]
  for arm in study.rivals:
    of = f', {arm.short}' if len(study.rivals) > 1 else ''
    head += [f'difference{of}'] + ['95 % interval'] * study.has_seeds
  return head


def classes(study: Study, split: str) -> Table:
  """A row per class: IoU of all arms, or more of the only one."""
  dataset = study.main.first.dataset
  rows = []
  for place, (name, tone, share) in enumerate(zip(
      dataset['classes'], dataset['palette'], _pixels(study, split),
      strict=True,
  )):
    cells = _comparison(study, class_score(split, place))
    if not study.reference:
      cells = [
          spread(study.main.summary(class_score(split, place, key)))
          for key in ('iou', 'accuracy', 'precision')
      ]
    rows.append(Row([name, share, *cells], css(tone)))
  foot = _comparison(study, score(split, 'mean_iou'))
  if not study.reference:
    foot += [spread(study.main.summary(score(split, 'class_accuracy'))), '']
  return Table(_class_head(study), rows, foot=['mean', '', *foot])


def settings(study: Study) -> tuple[Table, Table]:
  """Settings that differ from the defaults, and all of them."""
  # Through JSON, as the runs' own settings went: tuples become lists.
  default = flatten(json.loads(json.dumps(dataclasses.asdict(Experiment()))))
  arms = [arm.first.settings for arm in study.arms]
  between = differing(arms)
  rows, changed = [], []
  for key in dict.fromkeys(key for one in arms for key in one):
    values = [one.get(key, NONE) for one in arms]
    if key == 'seed':
      values = [' '.join(map(str, arm.runs)) for arm in study.arms]
    usual = default.get(key, NONE)
    rows.append(Row([
        text if isinstance(text, str) else json.dumps(text)
        for text in (key, *values, usual)
    ], strong=key in between))
    if any(value != usual for value in values):
      changed.append(rows[-1])
  head = ['setting', *(arm.label for arm in study.arms), 'default']
  return Table(head, changed, style='text'), Table(head, rows, style='text')
