"""The benchmark as a page: a plot for each case, and the figures."""

from html import escape

import numpy as np

from adseg_jax.reporting.axes import DIGIT, figure, ticks, written
from adseg_jax.reporting.style import STYLE
from adseg_jax.reporting.tables import row, table
from benchmarking.figures import HEAD

_WIDTH, _HEIGHT = 420, 250
_TOP, _BOTTOM = 10, 26
_BAR = 18  # half the length of a median's bar


def plot(case: str, paces: dict) -> str:
  """Images per second: a dot for each round, a bar at the median.

  Args:
    case: its name.
    paces: variant -> images per second, one a round.
  """
  ys = ticks(0, max(map(max, paces.values())))
  left = 12 + DIGIT * max(map(len, written(ys)))

  def height(value):
    return _TOP + (ys[-1] - value) / ys[-1] * (_HEIGHT - _TOP - _BOTTOM)

  drawn = [
      f'<path class="grid" d="M{left:.1f} {height(y):.1f}H{_WIDTH}"/>'
      f'<text x="{left - 7:.1f}" y="{height(y) + 4:.1f}" text-anchor="end">'
      f'{text}</text>' for y, text in zip(ys, written(ys), strict=True)
  ]
  for place, (name, values) in enumerate(paces.items()):
    x = left + (place + 0.5) * (_WIDTH - left) / len(paces)
    drawn.append(_column(name, values, x, height, place))
  note = 'Images per second: a dot is a round, a bar the median.'
  return figure(case, note, '', (_WIDTH, _HEIGHT), ''.join(drawn))


def _column(name, values, x, height, colour):
  dots = ''.join(
      f'<circle class="dot c{colour}" cx="{x:.1f}" cy="{height(value):.1f}" '
      f'r="4"><title>round {index}: {value:.3g}</title></circle>'
      for index, value in enumerate(values, 1)
  )
  middle = height(float(np.median(values)))
  return dots + (
      f'<path class="mean" d="M{x - _BAR:.1f} {middle:.1f}H{x + _BAR:.1f}"/>'
      f'<text x="{x:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">'
      f'{escape(name)}</text>'
  )


def page(
    title: str, plots: list[str], rows: list[list[str]], words: list[str]
) -> str:
  """HTML of the plots, the table and the lines below it."""
  body = [row([escape(cell) for cell in cells]) for cells in rows]
  return (
      '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
      '<meta name="viewport" content="width=device-width, initial-scale=1">'
      f'<title>{escape(title)}</title><style>{STYLE}</style></head><body>'
      f'<h1>{escape(title)}</h1><div class="charts">{"".join(plots)}</div>'
      f'{table(HEAD, body)}'
      f'{"".join(f"<p>{escape(line)}</p>" for line in words)}</body></html>\n'
  )
