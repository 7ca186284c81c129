"""Plots over runs: a measure's dots, differences, and confusion."""

import json
from typing import NamedTuple

from adseg_jax.evaluation.statistics import Difference
from adseg_jax.reporting import vega
from adseg_jax.reporting.numbers import NONE, difference, interval, ratio
from adseg_jax.reporting.vega import Chart, colour, field, layer, layered
from adseg_jax.wording import counted

_DOT = {'type': 'point', 'filled': True, 'size': 50, 'opacity': 1}
_TOLD = field('text', 'nominal')
_STRONG, _WEAK = 0.55, 0.005  # shares whose number looks otherwise


class Column(NamedTuple):
  """Values above each other: name, such as 'seed 1', -> value; never nan."""

  label: str
  colour: int
  values: dict[str, float]
  middle: float


def dots(
    title: str, note: str, columns: list[Column], joined=True, zero=False,
    form=ratio,
) -> Chart:
  """A dot per value in columns from left to right, a bar in their middle.

  Lines may join the values of one name, and the axis may hold 0.
  """
  rows = [
      {'column': place, 'name': name, 'value': value,
       'text': f'{name}: {form(value)}'}
      for place, one in enumerate(columns) for name, value in one.values.items()
  ]
  middles = [
      {'column': place, 'value': one.middle,
       'text': f'{one.label}: {form(one.middle)}'}
      for place, one in enumerate(columns)
  ]
  places = list(range(len(columns)))
  labels = json.dumps([one.label for one in columns])
  levels = vega.scale([0.0] * zero + [row['value'] for row in rows])
  at = {
      'x': field('column', 'ordinal', scale={'domain': places}, axis={
          'title': None, 'labelAngle': 0, 'labelLimit': 110,
          'labelExpr': f'{labels}[datum.value]',
      }),
      'y': field('value', axis={'title': None}, scale=levels),
  }
  tones = {'domain': places, 'range': [colour(one.colour) for one in columns]}
  return layered(title, note, [
      layer({'type': 'line', 'strokeWidth': 1, 'opacity': 0.35, 'color':
             'var(--ink)'}, rows * joined, **at, detail=field('name')),
      layer(_DOT, rows, **at, description=_TOLD,
            color=field('column', 'ordinal', legend=None, scale=tones)),
      layer({'type': 'tick', 'size': 30, 'thickness': 2.2, 'color':
             'var(--ink)', 'opacity': 1}, middles, **at, description=_TOLD),
  ], 340, 240)


def intervals(
    title: str, note: str, rows: list[tuple[str, str, Difference]],
    arms: dict[str, int],
) -> Chart:
  """A row per difference: its pairs, its mean and its confidence interval.

  Rows are class, arm and difference; arms are label -> number of a colour.
  """
  pairs, means, labels = [], [], list(dict.fromkeys(row[0] for row in rows))
  for label, arm, found in rows:
    of = {'row': label, 'arm': arm}
    pairs += [
        of | {'value': value, 'text': f'{name}: {difference(value)}'}
        for name, value in zip(found.pairs, found.values, strict=True)
    ]
    means.append(of | {
        'value': found.mean, 'low': found.low, 'high': found.high,
        'text': f'{difference(found.mean)} ({interval(found)})',
    })
  values = [0.0, *(row['value'] for row in pairs)]
  values += [row[end] for row in means for end in ('low', 'high')]
  x = {'axis': {'title': None}, 'scale': vega.scale(values)}
  many = len(arms) > 1
  key = {'symbolType': 'circle', 'symbolSize': 60, 'columns': 2}
  tones = {'domain': list(arms), 'range': [*map(colour, arms.values())]}
  at = {
      'y': field('row', 'nominal', scale={'domain': labels}, axis={
          'title': None, 'grid': False, 'labelLimit': 150,
      }),
      'color': field('arm', 'nominal', scale=tones,
                     legend=key if many else None),
  }
  if many:
    at['yOffset'] = field('arm', 'nominal', scale={'domain': list(arms)})
  return layered(title, note, [
      layer({'type': 'rule', 'color': 'var(--faint)'}, [{'value': 0}],
            x=field('value', **x)),
      layer(_DOT | {'size': 18, 'opacity': 0.55}, pairs, **at,
            x=field('value', **x), description=_TOLD),
      layer({'type': 'rule', 'strokeWidth': 1.8}, means, **at,
            x=field('low', **x), x2={'field': 'high'}),
      layer(_DOT, means, **at, x=field('value', **x), description=_TOLD),
  ], 480, 40 + 24 * len(rows))


def confusion(
    title: str, note: str, classes: list[str], counts: list[list[int]]
) -> Chart:
  """Pixels [truth][prediction], as percentages of a row."""
  rows = []
  for truth, line in zip(classes, counts, strict=True):
    total = sum(line)
    for guess, count in zip(classes, line, strict=True):
      share = count / total if total else 0.0
      rows.append({
          'truth': truth, 'guess': guess, 'share': share,
          'number': str(round(100 * share)) if total else NONE,
          'tone': (share > _STRONG) + (share >= _WEAK),
          'text': f'{truth} as {guess}: {counted(count, "pixel")}',
      })
  axis = {'title': None, 'grid': False, 'labelLimit': 200}
  names = {'scale': {'domain': classes}}
  top = axis | {'orient': 'top', 'labelAngle': -90}
  at = {'x': field('guess', 'nominal', axis=top, **names),
        'y': field('truth', 'nominal', axis=axis, **names)}
  tones = {'domain': [0, 1, 2], 'range': [
      'var(--faint)', 'var(--ink)', 'var(--paper)'
  ]}
  heat = field('share', legend=None, scale={'domain': [0, 1], 'range': [0, 1]})
  return layered(title, note, [
      layer({'type': 'rect', 'fill': 'var(--heat)', 'stroke': 'var(--paper)'},
            rows, **at, fillOpacity=heat, description=_TOLD),
      layer('text', rows, **at, text=field('number', 'nominal'),
            color=field('tone', 'ordinal', scale=tones, legend=None)),
  ], 38 * len(classes), 30 * len(classes), autosize='pad', padding=20)
