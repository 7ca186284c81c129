"""The tables of a report, for a page, for Markdown and for a terminal."""

import json
from typing import NamedTuple

import rich.table
from rich.text import Text

from adseg_jax.evaluation import evidence
from adseg_jax.reporting import numbers
from adseg_jax.reporting.arms import Study, differing, score
from adseg_jax.reporting.numbers import NONE, chance, difference, spread
from adseg_jax.reporting.pictures import css
from adseg_jax.reporting.runs import MEASURES, defaults
from adseg_jax.reporting.vega import colour
from adseg_jax.reporting.verdicts import briefly
from adseg_jax.wording import counted


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


def brief(study: Study) -> Table:
  """A row per arm and split, within 80 columns."""
  many, first = study.has_seeds, study.arms[0]
  # The one setting that differs is the heading: 80 columns are soon full.
  setting = first.name.removesuffix(f' {first.short}')
  title = 'arm' if setting == first.name else setting
  rows = [
      Row([
          *([arm.short or arm.name, split, str(len(arm.runs))] if many else
            [str(arm.first.settings['name']), f'{arm.weight:g}', split]),
          *_scores(arm, split),
          *([] if many else [numbers.duration(arm.first.seconds)]),
      ]) for split in study.splits for arm in study.arms
  ]
  return Table([
      *([title, 'split', 'runs'] if many else ['run', 'λ', 'split']),
      'mean IoU', 'pixel acc.', 'class acc.', *([] if many else ['time']),
  ], rows)


def _scores(arm, split):
  return [spread(arm.summary(score(split, key))) for key in MEASURES]


def arms(study: Study) -> Table:
  """A row per arm and split: mean ± standard deviation, and cost."""
  rows = [
      Row([
          arm.name + ' (reference)' * (arm is study.reference), split,
          str(len(arm.runs)), *_scores(arm, split),
          spread(arm.summary(lambda run: run.pace()), numbers.pace),
          numbers.duration(arm.summary(lambda run: run.seconds).mean),
      ], colour(arm.colour), strong=arm is study.main)
      for split in study.splits for arm in study.arms
      if any(run.on(split) for run in arm.runs.values())
  ]
  means = 'Mean ± sample standard deviation over the runs. '
  return Table(
      ['arm', 'split', 'runs', *MEASURES.values(), 'images per second',
       'time per run'], rows, means * study.has_seeds +
      'Images per second: a run\'s median over its training steps.',
      'full words',
  )


def _of(study, arm):
  """Of which arm, where there are several."""
  return f', {arm.short}' if len(study.rivals) > 1 else ''


def _compared(study):
  """(measure and split, difference) of every rival, split and measure."""
  return [
      ([name + _of(study, arm), split],
       study.difference(arm, score(split, key)))
      for arm in study.rivals for split in study.splits
      for key, name in MEASURES.items()
  ]


def differences(study: Study) -> Table:
  """A row per rival, split and measure: difference, interval, what it shows."""
  rows = [
      Row([
          *names, difference(found.mean), numbers.interval(found),
          str(len(found.pairs)), briefly(found),
      ]) for names, found in _compared(study)
  ]
  how = (
      '; Student\'s t interval of the mean difference. Of twenty such '
      'intervals one is expected to miss its true value by chance.'
  ) if study.has_seeds else '.'
  whose = study.main.label if len(study.rivals) == 1 else 'Each arm'
  units = 'fold and seed' if study.folds > 1 else 'seed'
  return Table(
      ['difference', 'split', 'mean', '95 % interval', 'pairs',
       'what the interval shows'], rows, rows and
      f'{whose} minus {study.reference.label}, paired by {units}{how}',
      'full words',
  )


def weighed(study: Study) -> Table:
  """A row per difference of two pairs or more: tests, and pairs needed."""
  found = [
      (names, shown) for names, change in _compared(study)
      if (shown := evidence.weigh(change.values))
  ]
  corrected = evidence.holm([shown.p_t for _, shown in found])
  effects = [f'pairs for {effect:g}' for effect in evidence.EFFECTS]
  beyond = f'beyond ±{evidence.MARGIN:g}'
  return Table(
      ['difference', 'split', 'spread', 'p, t', 'p, Holm', 'p, sign flips',
       *effects, beyond],
      [
          Row([
              *names, numbers.ratio(shown.deviation_of_pairs),
              *map(chance, (shown.p_t, holm, shown.p_sign_flips)),
              *(f'{pairs:,}' for pairs in shown.needed), shown.excludes,
          ]) for (names, shown), holm in zip(found, corrected, strict=True)
      ],
      'Spread: standard deviation of the pairs. p: by Student\'s t test; the '
      f'same, corrected for {counted(len(found), "test")} (Holm); by flips of '
      'the pairs\' signs, which give none below 2 / 2^pairs. Pairs that '
      'would show such a difference at this spread (power '
      f'{evidence.POWER:g}). Beyond: by two one-sided t tests, each at 0.05.',
      'full words',
  )


def every_run(study: Study) -> Table:
  """A row per run and split."""
  return Table(
      ['run', 'split', *MEASURES.values(), 'steps', 'images per second',
       'time', 'folder'],
      [
          Row([
              name, one['split'],
              *(numbers.ratio(one[key]) for key in MEASURES),
              f'{one["step"]:,}', numbers.pace(run.pace()),
              numbers.duration(run.seconds), str(run.folder),
          ])
          for name, run in study.runs.items() for one in run.scored
      ],
  )


def _compared_iou(study, *measures):
  """Of arms the first measure and differences; of the only arm, all."""
  if not study.reference:
    return [spread(study.main.summary(measure)) for measure in measures]
  cells = [spread(arm.summary(measures[0])) for arm in study.arms]
  for arm in study.rivals:
    found = study.difference(arm, measures[0])
    cells += [difference(found.mean)]
    cells += [numbers.interval(found)] * study.has_seeds
  return cells


def classes(study: Study, split: str) -> Table:
  """A row per class: IoU of all arms, or more of the only one."""
  head = ['class', 'pixels', 'IoU', 'accuracy', 'precision']
  if study.reference:
    head[2:] = [f'IoU, {arm.label}' for arm in study.arms]
  for arm in study.rivals:
    head += [f'difference{_of(study, arm)}']
    head += ['95 % interval'] * study.has_seeds
  scores = next(filter(None, (run.on(split) for run in study.runs.values())))
  pixels = [one['pixels'] for one in scores['classes']]
  dataset = study.main.first.dataset
  rows = [
      Row([
          name, f'{pixels[place] / sum(pixels):.1%}' if any(pixels) else NONE,
          *_compared_iou(study, *(
              score(split, key, place)
              for key in ('iou', 'accuracy', 'precision')
          )),
      ], css(dataset['palette'][place]))
      for place, name in enumerate(dataset['classes'])
  ]
  means = score(split, 'mean_iou'), score(split, 'class_accuracy')
  foot = ['mean', '', *_compared_iou(study, *means)]
  return Table(head, rows, foot=foot + [''] * (len(head) - len(foot)))


def settings(study: Study) -> tuple[Table, Table]:
  """Settings that differ from the defaults, and all of them."""
  default = defaults()
  arms = [arm.first.settings for arm in study.arms]
  between = differing(arms)
  rows, changed = [], []
  for key in dict.fromkeys(key for one in arms for key in one):
    values = [one.get(key, NONE) for one in arms]
    if key == 'seed' or (key == 'data.fold' and study.folds > 1):
      values = [
          ' '.join(dict.fromkeys(
              str(run.settings[key]) for run in arm.runs.values()
          )) for arm in study.arms
      ]
    usual = default.get(key, NONE)
    rows.append(Row([
        text if isinstance(text, str) else json.dumps(text)
        for text in (key, *values, usual)
    ], strong=key in between))
    if any(value != usual for value in values):
      changed.append(rows[-1])
  head = ['setting', *(arm.label for arm in study.arms), 'default']
  return Table(head, changed, style='text'), Table(head, rows, style='text')
