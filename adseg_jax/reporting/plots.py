"""Plots over seeds as inline SVG: a measure's dots, and differences."""

import math
from html import escape

from adseg_jax.reporting.arms import Arm
from adseg_jax.reporting.axes import DIGIT, figure, key, ticks, written
from adseg_jax.reporting.numbers import difference, interval, ratio
from adseg_jax.reporting.statistics import Difference

_WIDTH, _HEIGHT = 340, 240
_TOP, _BOTTOM = 10, 26
_BAR = 15  # half the length of a mean's bar

_WIDE = 480
_ROW = 24
_LONGEST = 22  # characters of a row's label


def _dot(colour, x, y, radius, title=''):
  return (
      f'<circle class="dot c{colour % 6}" cx="{x:.1f}" cy="{y:.1f}" '
      f'r="{radius}"><title>{escape(title)}</title></circle>'
  )


def _level(text, left, right, y):
  return (
      f'<path class="grid" d="M{left:.1f} {y:.1f}H{right:.1f}"/>'
      f'<text x="{left - 7:.1f}" y="{y + 4:.1f}" text-anchor="end">{text}'
      '</text>'
  )


def _column(arm, values, mean, x, height):
  """An arm's dots, the bar of its mean and its name."""
  middle = height(mean)
  return ''.join(
      _dot(arm.colour, x, height(value), 4, f'seed {seed}: {ratio(value)}')
      for seed, value in values.items()
  ) + (
      f'<path class="mean" d="M{x - _BAR:.1f} {middle:.1f}H{x + _BAR:.1f}"/>'
      f'<text x="{x:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">'
      f'{escape(arm.short)}</text>'
  )


def dots(title: str, note: str, arms: list[Arm], measure) -> str:
  """A dot per seed in a column per arm; lines join a seed's dots.

  Args:
    title: heading of the figure.
    note: a sentence under it.
    arms: from left to right.
    measure: run -> number or None.
  """
  found = {}
  for arm in arms:
    values = {
        seed: value for seed, value in arm.by_seed(measure).items()
        if not math.isnan(value)
    }
    if values:
      found[arm] = values
  numbers = [value for values in found.values() for value in values.values()]
  ys = ticks(min(numbers, default=0), max(numbers, default=1))
  left = 12 + DIGIT * max(map(len, written(ys)))

  def height(value):
    return _TOP + (ys[-1] - value) / (ys[-1] - ys[0]) * (
        _HEIGHT - _TOP - _BOTTOM
    )

  across = {
      arm: left + (place + 0.5) * (_WIDTH - left) / len(found)
      for place, arm in enumerate(found)
  }
  drawn = [
      _level(text, left, _WIDTH, height(y))
      for y, text in zip(ys, written(ys), strict=True)
  ]
  seeds = sorted({seed for values in found.values() for seed in values})
  for seed in seeds:
    points = ' '.join(
        f'{across[arm]:.1f},{height(values[seed]):.1f}'
        for arm, values in found.items() if seed in values
    )
    drawn.append(f'<polyline class="pair" points="{points}"/>')
  drawn += [
      _column(arm, values, arm.summary(measure).mean, across[arm], height)
      for arm, values in found.items()
  ]
  return figure(title, note, '', (_WIDTH, _HEIGHT), ''.join(drawn))


def _shortened(label):
  return label if len(label) <= _LONGEST else label[:_LONGEST - 1] + '…'


def _whisker(found, colour, y, place):
  """Small dots of the seeds, the mean, and the interval."""
  marks = ''.join(
      f'<circle class="seed c{colour % 6}" cx="{place(value):.1f}" '
      f'cy="{y:.1f}" r="2.4"><title>seed {seed}: {difference(value)}</title>'
      '</circle>'
      for seed, value in zip(found.seeds, found.values, strict=True)
  )
  if found.has_interval:
    marks += (
        f'<path class="line c{colour % 6}" d="M{place(found.low):.1f} {y:.1f}'
        f'H{place(found.high):.1f}"/>'
    )
  if found.values:
    text = f'{difference(found.mean)} ({interval(found)})'
    marks += _dot(colour, place(found.mean), y, 4, text)
  return marks


def intervals(
    title: str,
    note: str,
    rows: list[tuple[str, Difference, int]],
    labels: dict[str, int],
) -> str:
  """A row per difference: its seeds, its mean and its confidence interval.

  Args:
    title: heading of the figure.
    note: a sentence under it.
    rows: label, difference and the number of a colour of the style.
    labels: label of a colour -> its number, for the legend; may be empty.
  """
  numbers = [0.0]
  for _, found, _ in rows:
    numbers += [*found.values]
    numbers += [found.low, found.high] if found.has_interval else []
  xs = ticks(min(numbers), max(numbers))
  texts = [_shortened(label) for label, _, _ in rows]
  left = 14 + DIGIT * 0.95 * max(map(len, texts))
  right, bottom = _WIDE - 20, 6 + _ROW * len(rows)

  def place(x):
    return left + (x - xs[0]) / (xs[-1] - xs[0]) * (right - left)

  drawn = []
  for x, text in zip(xs, written(xs), strict=True):
    style = 'zero' if x == 0 else 'grid'
    drawn.append(
        f'<path class="{style}" d="M{place(x):.1f} 4V{bottom}"/>'
        f'<text x="{place(x):.1f}" y="{bottom + 16}" text-anchor="middle">'
        f'{text}</text>'
    )
  for number, (text, (_, found, colour)) in enumerate(
      zip(texts, rows, strict=True)
  ):
    y = 6 + _ROW * (number + 0.5)
    drawn.append(
        f'<text x="{left - 9:.1f}" y="{y + 4:.1f}" text-anchor="end">'
        f'{escape(text)}</text>' + _whisker(found, colour, y, place)
    )
  keys = ''.join(
      key(label, f'<circle class="dot c{colour % 6}" cx="13" cy="4" r="4"/>')
      for label, colour in labels.items()
  )
  return figure(title, note, keys, (_WIDE, bottom + 22), ''.join(drawn))
