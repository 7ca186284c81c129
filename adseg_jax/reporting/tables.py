"""Numbers, and the tables of a report, as HTML."""

import dataclasses
import json
import math
import statistics
from html import escape

from adseg_jax.config import Experiment, flatten
from adseg_jax.reporting import pictures
from adseg_jax.reporting.runs import MEANS, Run, baseline, weight_label

NONE = '\u2013'  # stands where there is no number

# From this share of a row on, a cell's number is written in the paper's colour.
_STRONG = 0.55
_WEAK = 0.005  # below this share it is written faint


def ratio(value: float) -> str:
  """A score in three decimals; a dash where it is undefined."""
  return NONE if math.isnan(value) else f'{value:.3f}'


def difference(value: float) -> str:
  """A signed difference of scores, with a true minus sign."""
  if math.isnan(value):
    return NONE
  text = f'{value:+.3f}'
  return '0.000' if float(text) == 0 else text.replace('-', '\u2212')


def duration(seconds: float) -> str:
  """A time in its two largest units."""
  minutes, rest = divmod(round(seconds), 60)
  hours, left = divmod(minutes, 60)
  if hours:
    return f'{hours} h {left:02} min'
  return f'{minutes} min {rest:02} s' if minutes else f'{rest} s'


def _row(cells, style=''):
  first, *others = cells
  values = ''.join(f'<td>{text}</td>' for text in others)
  return f'<tr class="{style}"><th scope="row">{first}</th>{values}</tr>'


def _table(head, rows, style='full', foot=''):
  titles = ''.join(f'<th scope="col">{title}</th>' for title in head)
  return (
      f'<div class="scroll"><table class="{style}"><thead><tr>{titles}</tr>'
      f'</thead><tbody>{"".join(rows)}</tbody><tfoot>{foot}</tfoot></table>'
      '</div>'
  )


def _over_seeds(runs: list[Run]) -> str:
  """Mean and standard deviation of runs that differ in their seed only."""
  groups = {}
  for run in runs:
    rest = {k: v for k, v in run.settings.items() if k not in ('name', 'seed')}
    groups.setdefault(json.dumps(rest, sort_keys=True), []).append(run)
  rows = []
  for group in groups.values():
    if len({run.settings.get('seed') for run in group}) == len(group) > 1:
      scores = [[run.scores[key] for run in group] for key in MEANS]
      rows.append(_row([
          f'{escape(weight_label(group[0]))}, mean of {len(group)} seeds', '',
          *(f'{ratio(statistics.fmean(values))} ± '
            f'{ratio(statistics.stdev(values))}' for values in scores), '',
      ]))
  return ''.join(rows)


def comparison(runs: list[Run], names: list[str]) -> str:
  """A row a run, and how far a difference may be trusted."""
  if len(runs) == 1:
    return ''
  rows = [
      _row([
          escape(name), f'{run.scores["step"]:,}',
          *(ratio(run.scores[key]) for key in MEANS),
          duration(run.scores['seconds']),
      ], style='main' if run is runs[0] else '')
      for run, name in zip(runs, names, strict=True)
  ]
  main, other = runs[0].settings, runs[baseline(runs)].settings
  also = sorted(
      key for key in main.keys() | other.keys()
      if main.get(key) != other.get(key)
      and key not in ('name', 'adversary.weight')
  )
  note = (
      'Every difference on this page is that of one run from one other. One '
      'seed proves nothing: another seed of the same experiment differs too, '
      'and only several seeds of both tell an effect from chance.'
  )
  if also:
    note += f' Beside λ, the first run and {names[baseline(runs)]} differ in: '
    note += f'{", ".join(also)}.'
  head = (
      'run', 'steps', 'mean IoU', 'pixel accuracy', 'class accuracy', 'time'
  )
  return (
      _table(head, rows, foot=_over_seeds(runs))
      + f'<p class="faint">{escape(note)}</p>'
  )


def class_table(runs: list[Run], names: list[str]) -> str:
  """A row a class: the first run's scores, the others' IoU beside them."""
  main, *others = [run.scores for run in runs]
  total = sum(one['pixels'] for one in main['classes'])

  def beside(own, values):
    return [
        text for value in values
        for text in (ratio(value), difference(own - value))
    ]

  rows = []
  for place, one in enumerate(main['classes']):
    colour = runs[0].dataset['palette'][place]
    rows.append(_row([
        pictures.swatch(colour) + escape(one['name']),
        *(ratio(one[key]) for key in ('iou', 'accuracy', 'precision')),
        f'{one["pixels"] / total:.1%}' if total else NONE,
        *beside(one['iou'], [run['classes'][place]['iou'] for run in others]),
    ]))
  foot = _row([
      'mean', ratio(main['mean_iou']), ratio(main['class_accuracy']), '', '',
      *beside(main['mean_iou'], [run['mean_iou'] for run in others]),
  ])
  head = [
      'class', 'IoU', 'accuracy', 'precision', 'pixels',
      *(text for name in names[1:]
        for text in (f'IoU, {escape(name)}', 'difference')),
  ]
  return _table(head, rows, foot=foot)


def _cell(count, total, title):
  if not total:
    return f'<td>{NONE}</td>'
  share = count / total
  style = 'strong' if share > _STRONG else 'weak' if share < _WEAK else ''
  return (
      f'<td class="{style}" style="--share:{share:.3f}" '
      f'title="{title}: {count:,} pixels">{round(100 * share)}</td>'
  )


def confusion(run: Run) -> str:
  """The confusion matrix as percentages of every true class's pixels."""
  classes = [escape(one['name']) for one in run.scores['classes']]
  rows = [
      f'<tr><th scope="row">{name}</th>' + ''.join(
          _cell(count, sum(counts), f'{name} as {guess}')
          for guess, count in zip(classes, counts, strict=True)
      ) + '</tr>'
      for name, counts in zip(classes, run.scores['confusion'], strict=True)
  ]
  head = ['', *(f'<span>{name}</span>' for name in classes)]
  return _table(head, rows, style='heat')


def _plain(value):
  return value if isinstance(value, str) else json.dumps(value)


def settings(runs: list[Run], names: list[str]) -> str:
  """Settings that differ from the defaults, and all of them, folded."""
  # Through JSON, as the runs' own settings went: tuples become lists.
  default = flatten(json.loads(json.dumps(dataclasses.asdict(Experiment()))))
  rows, changed = [], []
  for key in dict.fromkeys(key for run in runs for key in run.settings):
    values = [run.settings.get(key, NONE) for run in runs]
    usual = default.get(key, NONE)
    rows.append(_row(
        [escape(_plain(text)) for text in (key, *values, usual)],
        style='changed' if any(v != values[0] for v in values) else '',
    ))
    if any(value != usual for value in values):
      changed.append(rows[-1])
  head = ['setting', *map(escape, names), 'default']
  return (
      _table(head, changed, style='text')
      + '<details><summary>All settings</summary>'
      + _table(head, rows, style='text') + '</details>'
  )
