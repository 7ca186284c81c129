"""Line charts as inline SVG, whose colours come from the page's style."""

import dataclasses
import itertools
import math
from html import escape

import numpy as np

WIDTH, HEIGHT = 480, 270
_TOP, _RIGHT, _BOTTOM = 10, 20, 40
_DIGIT = 7.2  # width of a digit at the style's 12 px
_POINTS = 200  # more can't be told apart on this width
_DOTTED = 30  # up to so many points each gets a dot


@dataclasses.dataclass(frozen=True)
class Series:
  """A line of a chart.

  Attributes:
    label: shown in the legend.
    points: (step, value) pairs; a value that is None or nan breaks the line.
    colour: number of a colour of the style.
    dash: number of a dash pattern of the style; 0 is solid.
  """

  label: str
  points: list[tuple[float, float | None]]
  colour: int
  dash: int = 0


def ticks(low: float, high: float, most: int = 6) -> list[float]:
  """Round numbers, at most `most`, that enclose a range."""
  if high <= low:
    margin = abs(low) / 2 or 0.5
    low, high = low - margin, high + margin
  for exponent in itertools.count(math.floor(math.log10(high - low)) - 1):
    for digit in (1, 2, 5):
      step = digit * 10.0**exponent
      first = math.floor(low / step + 1e-9)
      last = math.ceil(high / step - 1e-9)
      if last - first < most:
        return [index * step for index in range(first, last + 1)]
  raise AssertionError('a range is always enclosed')


def _written(values: list[float]) -> list[str]:
  """Ticks as text, all with as many decimals as the step needs."""
  unit, suffix = (1e3, 'k') if max(map(abs, values)) >= 1e4 else (1, '')
  step = (values[1] - values[0]) / unit
  digits = max(0, -math.floor(math.log10(step) + 1e-9))
  texts = [f'{value / unit:z.{digits}f}{suffix}' for value in values]
  zero = f'{0:.{digits}f}'
  return [
      zero if text == zero + suffix else text.replace('-', '\u2212')
      for text in texts
  ]


def _thinned(points):
  """Means of neighbours, where there are more points than the width shows."""
  values = np.array(
      [(x, math.nan if y is None else y) for x, y in points], np.float64
  ).reshape(-1, 2)
  if len(values) <= _POINTS:
    return values
  size = math.ceil(len(values) / _POINTS)
  starts = range(0, len(values), size)
  return np.array([values[at:at + size].mean(0) for at in starts])


def _pieces(points):
  """Runs of points whose values are finite."""
  finite = np.isfinite(points[:, 1])
  breaks = np.flatnonzero(np.diff(finite)) + 1
  parts = np.split(points, breaks)
  return [part for part in parts if len(part) and math.isfinite(part[0, 1])]


def _line(series, points, place):
  style = f'c{series.colour % 6} d{series.dash % 4}'
  marks = []
  for piece in _pieces(points):
    path = ' '.join('{:.1f},{:.1f}'.format(*place(*point)) for point in piece)
    marks.append(f'<polyline class="line {style}" points="{path}"/>')
    if len(points) <= _DOTTED or len(piece) == 1:
      marks += [
          '<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="2.8"/>'.format(
              style, *place(*point)
          ) for point in piece
      ]
  return ''.join(marks)


def _axes(xs, ys, place):
  """Grid, axis labels and the name of the x axis."""
  left, bottom = place(xs[0], ys[0])
  right, _ = place(xs[-1], ys[0])
  marks = []
  for y, text in zip(ys, _written(ys), strict=True):
    height = place(0, y)[1]
    marks.append(
        f'<path class="grid" d="M{left:.1f} {height:.1f}H{right:.1f}"/>'
        f'<text x="{left - 7:.1f}" y="{height + 4:.1f}" text-anchor="end">'
        f'{text}</text>'
    )
  for x, text in zip(xs, _written(xs), strict=True):
    across = place(x, 0)[0]
    marks.append(
        f'<path class="grid" d="M{across:.1f} {bottom:.1f}v4"/>'
        f'<text x="{across:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">'
        f'{text}</text>'
    )
  return ''.join(marks) + (
      f'<text x="{(left + right) / 2:.1f}" y="{HEIGHT - 4}" '
      'text-anchor="middle">step</text>'
  )


def _legend(series):
  return ''.join(
      '<span class="key"><svg viewBox="0 0 26 8" aria-hidden="true"><path '
      f'class="line c{one.colour % 6} d{one.dash % 4}" d="M1 4H25"/></svg>'
      f'{escape(one.label)}</span>'
      for one in series
  )


def chart(
    title: str,
    note: str,
    series: list[Series],
    limits: tuple[float, float] | None = None,
    rule: float | None = None,
) -> str:
  """A figure of lines over training steps, as HTML.

  Args:
    title: heading of the figure.
    note: a sentence under it.
    series: lines; those without a finite value are named in the legend only.
    limits: range of the y axis; None: that of the values.
    rule: y value of a dotted line across the chart.
  """
  lines = [_thinned(one.points) for one in series]
  everything = np.concatenate([np.zeros((0, 2)), *lines])
  values = everything[np.isfinite(everything[:, 1]), 1]
  if limits is None:
    limits = (values.min(), values.max()) if len(values) else (0, 1)
  ys = ticks(*limits)
  xs = ticks(0, everything[:, 0].max(initial=1))
  left = 12 + _DIGIT * max(map(len, _written(ys)))

  def place(x, y):
    return (
        left + (x - xs[0]) / (xs[-1] - xs[0]) * (WIDTH - left - _RIGHT),
        _TOP + (ys[-1] - y) / (ys[-1] - ys[0]) * (HEIGHT - _TOP - _BOTTOM),
    )

  drawn = ''.join(
      _line(one, points, place)
      for one, points in zip(series, lines, strict=True)
  )
  if rule is not None:
    height = place(0, rule)[1]
    end = WIDTH - _RIGHT
    drawn += f'<path class="rule" d="M{left:.1f} {height:.1f}H{end}"/>'
  return (
      f'<figure class="chart"><h3>{escape(title)}</h3><p>{escape(note)}</p>'
      f'<div class="keys">{_legend(series)}</div>'
      f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
      f'aria-label="{escape(title)}">{_axes(xs, ys, place)}{drawn}</svg>'
      '</figure>'
  )
