import math
import re

import pytest
from drawing import elements, lines, texts, told

from adseg_jax.reporting.curves import Band, Series, curves

NAN = math.nan


def _series(points, colour=0, label='a'):
  return Series(label, [(*point, NAN, NAN) for point in points], colour)


def test_a_curve_runs_through_its_points():
  points = [(0, 0.0), (50, 1.0), (100, 0.5)]
  chart = curves('t', 'n', [_series(points)], limits=(0, 1))
  ((start, top, end),) = lines(chart, 'c0')
  height = start[1] - top[1]
  assert height > 150
  assert end[1] == pytest.approx(top[1] + height / 2, abs=0.1)
  assert top[0] == pytest.approx((start[0] + end[0]) / 2, abs=0.1)
  assert [text for text, *_ in told(chart)] == [
      'step 0: a 0', 'step 50: a 1', 'step 100: a 0.5'
  ]


def test_a_curve_breaks_where_a_value_is_missing():
  points = [(1, 1.0), (2, 2.0), (3, NAN), (4, 2.0), (5, NAN), (6, 3.0), (7, 3)]
  chart = curves('t', 'n', [_series(points)])
  assert [len(line) for line in lines(chart, 'c0')] == [2, 1, 2]
  # The point that stands alone is seen: its stroke has round ends.
  assert any(one.get('stroke-linecap') == 'round' for one in elements(chart))
  assert not any(text.startswith('step 3') for text, *_ in told(chart))


@pytest.mark.parametrize('points', [[], [(1, NAN)], [(1, 0.5)]])
def test_a_curve_without_a_line_is_named(points):
  chart = curves('t', 'n', [_series(points, label='<lonely>')])
  assert '<lonely>' in texts(chart)
  assert '&lt;lonely&gt;' in chart.svg and '<lonely>' not in chart.svg


def _area(chart):
  (path,) = (
      one.get('d') for one in elements(chart)
      if one.get('fill') == 'var(--c3)' and one.get('opacity') == '0.17'
  )
  return [
      [tuple(map(float, xy.split(','))) for xy in re.split('[ML]', part) if xy]
      for part in path.split('Z') if part
  ]


def test_a_spread_lies_between_its_low_and_its_high():
  points = [(0, 0.5, 0.25, 0.75), (100, 0.5, -1.0, 2.0)]
  chart = curves('t', 'n', [Series('a', points, 3)], limits=(0, 1))
  ((left, right),) = lines(chart, 'c3')
  (corners,) = _area(chart)
  height = {x: sorted(y for at, y in corners if at == x) for x, _ in corners}
  scale = height[right[0]][1] - height[right[0]][0]  # of 1: it keeps to limits
  assert scale > 150
  assert height[left[0]] == pytest.approx(
      [left[1] - scale / 4, left[1] + scale / 4], abs=0.2
  )
  assert told(chart)[0][0] == 'step 0: a 0.5 (0.25 to 0.75)'


def test_a_spread_widens_the_axis_and_breaks_where_unknown():
  points = [(1, 0.5, 0.0, 0.9), (2, 0.5, NAN, NAN), (3, 0.5, 0.4, 0.6)]
  chart = curves('t', 'n', [Series('a', points, 3)])
  assert len(_area(chart)) == 2
  assert {'1.0', '0.0'} <= set(texts(chart))


def test_bands_are_marked_named_once_and_told():
  bands = [
      Band(25, 50, 'is <winning>'), Band(75, 75, 'is <winning>'),
      Band(0, 10, 'idle'),
  ]
  chart = curves(
      't', 'n', [_series([(0, 0.0), (40, 0.5), (100, 1.0)])], bands=bands
  )
  ((start, _, end),) = lines(chart, 'c0')
  paths = [
      one.get('d') for one in elements(chart)
      if one.get('opacity') == '0.5' and one.get('fill') == 'var(--band)'
  ]
  left, across = re.match(r'M([\d.]+),[\d.]+h([\d.]+)', paths[0]).groups()
  assert float(left) == pytest.approx((end[0] - start[0]) / 4, abs=0.1)
  assert float(across) == pytest.approx((end[0] - start[0]) / 4, abs=0.1)
  assert len(paths) >= 2
  assert texts(chart).count('is <winning>') == 1
  assert texts(chart).count('idle') == 1
  assert [text for text, *_ in told(chart)] == [
      'step 0: a 0; idle', 'step 40: a 0.5; is <winning>', 'step 100: a 1'
  ]


def test_long_curves_are_thinned_to_means():
  points = [(step, float(step % 10)) for step in range(12_000)]
  chart = curves('t', 'n', [_series(points)])
  (line,) = lines(chart, 'c0')
  assert 100 < len(line) <= 150
  assert len({y for _, y in line}) == 1
