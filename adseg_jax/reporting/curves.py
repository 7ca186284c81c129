"""Line charts as inline SVG, whose colours come from the page's style."""

import dataclasses
import math
from html import escape

import numpy as np

from adseg_jax.reporting.axes import DIGIT, figure, key, ticks, written

WIDTH, HEIGHT = 480, 270
_TOP, _RIGHT, _BOTTOM = 10, 20, 40
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
    spread: (step, low, high) of an area behind the line; nan breaks it.
  """

  label: str
  points: list[tuple[float, float | None]]
  colour: int
  dash: int = 0
  spread: list[tuple[float, float, float]] = ()


@dataclasses.dataclass(frozen=True)
class Band:
  """A stretch of steps that is marked over the height of a chart.

  Attributes:
    start: first step.
    stop: last step.
    label: shown in the legend; bands with one label share an entry.
  """

  start: float
  stop: float
  label: str


def _thinned(points, columns=2):
  """Means of neighbours, where there are more points than the width shows."""
  values = np.array([
      [math.nan if number is None else number for number in point]
      for point in points
  ], np.float64).reshape(-1, columns)
  if len(values) <= _POINTS:
    return values
  size = math.ceil(len(values) / _POINTS)
  starts = range(0, len(values), size)
  return np.array([values[at:at + size].mean(0) for at in starts])


def _pieces(points):
  """Runs of points whose values are finite."""
  finite = np.isfinite(points).all(1)
  breaks = np.flatnonzero(np.diff(finite)) + 1
  parts = np.split(points, breaks)
  return [part for part in parts if len(part) and np.isfinite(part[0]).all()]


def _path(points, place):
  return ' '.join('{:.1f},{:.1f}'.format(*place(*point)) for point in points)


def _line(series, points, place):
  style = f'c{series.colour % 6} d{series.dash % 4}'
  marks = []
  for piece in _pieces(points):
    marks.append(
        f'<polyline class="line {style}" points="{_path(piece, place)}"/>'
    )
    if len(points) <= _DOTTED or len(piece) == 1:
      marks += [
          '<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="2.8"/>'.format(
              style, *place(*point)
          ) for point in piece
      ]
  return ''.join(marks)


def _area(series, spread, place):
  """The area between the low and the high values."""
  return ''.join(
      f'<path class="spread c{series.colour % 6}" d="M'
      + _path(np.concatenate([piece[:, :2], piece[::-1, ::2]]), place) + 'Z"/>'
      for piece in _pieces(spread)
  )


def _band(band, number, place, ys):
  left, top = place(band.start, ys[-1])
  right, bottom = place(band.stop, ys[0])
  width = max(right - left, 1.5)  # a single step can be seen too
  return (
      f'<rect class="band b{number % 3}" x="{left:.1f}" y="{top:.1f}" '
      f'width="{width:.1f}" height="{bottom - top:.1f}">'
      f'<title>{escape(band.label)}: steps {band.start:g} to {band.stop:g}'
      '</title></rect>'
  )


def _axes(xs, ys, place):
  """Grid, axis labels and the name of the x axis."""
  left, bottom = place(xs[0], ys[0])
  right, _ = place(xs[-1], ys[0])
  marks = []
  for y, text in zip(ys, written(ys), strict=True):
    height = place(0, y)[1]
    marks.append(
        f'<path class="grid" d="M{left:.1f} {height:.1f}H{right:.1f}"/>'
        f'<text x="{left - 7:.1f}" y="{height + 4:.1f}" text-anchor="end">'
        f'{text}</text>'
    )
  for x, text in zip(xs, written(xs), strict=True):
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


def _legend(series, labels):
  lines = [
      key(one.label, f'<path class="line c{one.colour % 6} d{one.dash % 4}" '
          'd="M1 4H25"/>')
      for one in series
  ]
  return ''.join(lines + [
      key(label, f'<rect class="band b{number % 3}" width="26" height="8"/>')
      for label, number in labels.items()
  ])


def chart(
    title: str,
    note: str,
    series: list[Series],
    limits: tuple[float, float] | None = None,
    rule: float | None = None,
    bands: list[Band] = (),
) -> str:
  """A figure of lines over training steps, as HTML.

  Args:
    title: heading of the figure.
    note: a sentence under it.
    series: lines; those without a finite value are named in the legend only.
    limits: range of the y axis; None: that of the values.
    rule: y value of a dotted line across the chart.
    bands: stretches of steps to mark behind the lines.
  """
  lines = [_thinned(one.points) for one in series]
  areas = [_thinned(one.spread, 3) for one in series]
  steps = np.concatenate([np.zeros(0), *(one[:, 0] for one in lines)])
  values = np.concatenate(
      [np.zeros(0), *(one[:, 1:].ravel() for one in lines + areas)]
  )
  values = values[np.isfinite(values)]
  if limits is None:
    limits = (values.min(), values.max()) if len(values) else (0, 1)
  ys = ticks(*limits)
  xs = ticks(0, steps.max(initial=1))
  left = 12 + DIGIT * max(map(len, written(ys)))

  def place(x, y):
    y = min(max(y, ys[0]), ys[-1])  # a spread may leave given limits
    return (
        left + (x - xs[0]) / (xs[-1] - xs[0]) * (WIDTH - left - _RIGHT),
        _TOP + (ys[-1] - y) / (ys[-1] - ys[0]) * (HEIGHT - _TOP - _BOTTOM),
    )

  labels = {}
  for band in bands:
    labels.setdefault(band.label, len(labels))
  drawn = [_band(band, labels[band.label], place, ys) for band in bands]
  drawn.append(_axes(xs, ys, place))
  for draw, shapes in ((_area, areas), (_line, lines)):
    drawn += [
        draw(one, shape, place)
        for one, shape in zip(series, shapes, strict=True)
    ]
  if rule is not None:
    height = place(0, rule)[1]
    end = WIDTH - _RIGHT
    drawn.append(f'<path class="rule" d="M{left:.1f} {height:.1f}H{end}"/>')
  return figure(
      title, note, _legend(series, labels), (WIDTH, HEIGHT), ''.join(drawn)
  )
