import re

import pytest

from adseg_jax.reporting import curves


def _lines(text):
  return [
      [tuple(map(float, point.split(','))) for point in points.split()]
      for points in re.findall(r'points="([^"]*)"', text)
  ]


def test_a_curve_runs_through_its_points():
  points = [(0, 0.0), (50, 1.0), (100, 0.5)]
  text = curves.chart('t', 'n', [curves.Series('a', points, 0)], limits=(0, 1))
  ((start, top, end),) = _lines(text)
  height = start[1] - top[1]
  assert height > 150
  assert end[1] == pytest.approx(top[1] + height / 2, abs=0.1)
  assert top[0] == pytest.approx((start[0] + end[0]) / 2, abs=0.1)
  assert 0 < start[0] < end[0] < curves.WIDTH


def test_a_curve_breaks_where_a_value_is_missing():
  points = [(1, 1.0), (2, 2.0), (3, None), (4, 2.0), (5, 3.0)]
  lines = _lines(curves.chart('t', 'n', [curves.Series('a', points, 0)]))
  assert [len(line) for line in lines] == [2, 2]
  text = curves.chart('t', 'n', [curves.Series('a', [(1, None)], 0)])
  assert not _lines(text)


def test_long_curves_are_thinned_to_means():
  points = [(step, float(step % 10)) for step in range(10_000)]
  ((*line,),) = _lines(curves.chart('t', 'n', [curves.Series('a', points, 0)]))
  assert len(line) == 200
  assert len({y for _, y in line}) == 1


@pytest.mark.parametrize('low, high, expected', [
    (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 600, [0, 200, 400, 600]),
    (0.31, 0.63, [0.3, 0.4, 0.5, 0.6, 0.7]), (-3, 9, [-5, 0, 5, 10]),
    (2, 2, [1, 1.5, 2, 2.5, 3]),
])
def test_ticks_are_round_and_enclose(low, high, expected):
  assert curves.ticks(low, high) == pytest.approx(expected)


def test_tick_texts():
  assert curves._written([0, 0.5, 1]) == ['0.0', '0.5', '1.0']
  assert curves._written([-2, 0, 2]) == ['\u22122', '0', '2']
  assert curves._written([0, 50_000, 100_000]) == ['0', '50k', '100k']
