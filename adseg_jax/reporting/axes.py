"""What the charts share: round ticks, their texts, keys and the figure."""

import itertools
import math
from html import escape

DIGIT = 7.2  # width of a digit at the style's 12 px


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


def written(values: list[float]) -> list[str]:
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


def key(label: str, mark: str) -> str:
  """A legend's entry: a mark of 26 x 8 in SVG, and its label."""
  return (
      f'<span class="key"><svg viewBox="0 0 26 8" aria-hidden="true">{mark}'
      f'</svg>{escape(label)}</span>'
  )


def figure(
    title: str, note: str, keys: str, size: tuple[float, float], drawn: str
) -> str:
  """A drawing of a width and a height with heading, note and keys, as HTML."""
  keys = f'<div class="keys">{keys}</div>' if keys else ''
  return (
      f'<figure class="chart"><h3>{escape(title)}</h3><p>{escape(note)}</p>'
      f'{keys}<svg viewBox="0 0 {size[0]:g} {size[1]:g}" role="img" '
      f'aria-label="{escape(title)}">{drawn}</svg></figure>'
  )
