"""Lines over training steps."""

import itertools
import math
from typing import NamedTuple

import numpy as np

from adseg_jax.reporting import vega
from adseg_jax.reporting.vega import Chart, colour, field, layer, layered

_WIDTH, _HEIGHT = 480, 270
_POINTS = 150  # more can't be told apart on this width
_DOTTED = 30  # up to so many points each gets a dot
_BANDS = 'var(--band)', 'var(--rule)', 'var(--card)'
_DASHES = [1, 0], [6, 3], [2, 2.5], [9, 3, 2, 3]


class Series(NamedTuple):
  """A line, by the numbers of its colour and of its dashes; 0 is solid.

  Its points are (step, value, low, high). A nan breaks the line or, in low
  and high, the area behind it.
  """

  label: str
  points: list[tuple[float, float, float, float]]
  colour: int
  dash: int = 0


class Band(NamedTuple):
  """Steps that are marked; bands with one label share a key."""

  start: float
  stop: float
  label: str


def _rows(series):
  """Means of neighbours, where there are more points than the width shows."""
  for one in series:
    values = np.array(one.points, np.float64).reshape(-1, 4)
    size = math.ceil(len(values) / _POINTS) or 1
    for at in range(0, len(values), size):
      step, value, low, high = values[at:at + size].mean(0).tolist()
      yield dict(step=step, value=value, low=low, high=high, line=one.label)


def _told(rows, bands):
  """A strip for every step: the values of all lines there."""
  steps = {}
  for row in rows:
    if math.isfinite(row['value']):
      text = f'{row["line"]} {row["value"]:.3g}'
      if math.isfinite(row['low']):
        text += f' ({row["low"]:.3g} to {row["high"]:.3g})'
      steps.setdefault(row['step'], []).append(text)
  places = sorted(steps)
  edges = [sum(two) / 2 for two in itertools.pairwise(places)]
  for step, start, stop in zip(
      places, [*places[:1], *edges], [*edges, *places[-1:]], strict=True
  ):
    inside = [one.label for one in bands if one.start <= step <= one.stop]
    text = '; '.join([*steps[step], *dict.fromkeys(inside)])
    yield {'step': start, 'stop': stop, 'text': f'step {step:g}: {text}'}


def curves(
    title: str, note: str, series: list[Series],
    limits: tuple[float, float] | None = None, rule: float | None = None,
    bands: list[Band] = (),
) -> Chart:
  """Lines over training steps.

  A series without a finite value is named in the legend only. The limits are
  those of the y axis, the values' own if None; the rule is a dotted line there.
  """
  rows = list(_rows(series))
  levels = {'domain': limits, 'clamp': True}  # a spread may leave them
  if not limits:
    ends = 'value', 'low', 'high'
    levels = vega.scale([row[end] for row in rows for end in ends])
  axis = {'title': 'step', 'grid': False, 'format': '~s'}
  steps = vega.scale([0, *(row['step'] for row in rows)])
  x = field('step', axis=axis, scale=steps)
  y = {'axis': {'title': None}, 'scale': levels}
  tone = _keys(series, [colour(one.colour) for one in series])
  dashes = [_DASHES[one.dash % len(_DASHES)] for one in series]
  dotted = max((len(one.points) for one in series), default=0) <= _DOTTED
  return layered(title, note, [
      *_marked(bands, x),
      layer({'type': 'area', 'opacity': 0.17}, rows, x=x, color=tone,
            y=field('low', **y), y2={'field': 'high'}),
      # A point that stands alone is drawn by its line's round ends.
      layer({'type': 'line', 'strokeWidth': 1.8, 'strokeCap': 'round'}, rows,
            x=x, y=field('value', **y), color=tone,
            strokeDash=_keys(series, dashes)),
      layer({'type': 'point', 'filled': True, 'size': 25, 'opacity': 1},
            rows * dotted, x=x, y=field('value', **y), color=tone),
      layer({'type': 'rule', 'strokeDash': [1.5, 4], 'color': 'var(--ink)'},
            [{'y': rule}] * (rule is not None), y=field('y', **y)),
      layer({'type': 'rect', 'fill': 'transparent'},
            list(_told(rows, bands)), x=x, x2={'field': 'stop'},
            description=field('text', 'nominal')),
  ], _WIDTH, _HEIGHT)


def _keys(series, values):
  """A channel that tells lines apart, and its part of the legend."""
  labels = [one.label for one in series]
  across = 60 + 7 * max(map(len, labels), default=0)  # pixels of a key
  return field(
      'line', 'nominal', scale={'domain': labels, 'range': values},
      legend={'symbolType': 'stroke', 'columns': max(1, _WIDTH // across)},
  )


def _marked(bands, x):
  labels = list(dict.fromkeys(one.label for one in bands))
  tones = {'domain': labels, 'range': _BANDS[:len(labels)]}
  # The rim lets a single step be seen, too.
  return bands and [layer(
      {'type': 'rect', 'opacity': 0.5, 'stroke': 'var(--band)'},
      [{'step': start, 'stop': stop, 'label': label}
       for start, stop, label in bands],
      x=x, x2={'field': 'stop'}, fill=field(
          'label', 'nominal', scale=tones, legend={'symbolType': 'square'}
      ),
  )]
