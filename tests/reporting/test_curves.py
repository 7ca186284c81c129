import re

import pytest

from adseg_jax.reporting import axes, curves


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


def test_a_spread_lies_between_its_low_and_its_high():
  points = [(0, 0.5), (100, 0.5)]
  spread = [(0, 0.25, 0.75), (100, 0.0, 1.0)]
  series = curves.Series('a', points, 3, spread=spread)
  text = curves.chart('t', 'n', [series], limits=(0, 1))
  ((left, right),) = _lines(text)
  (path,) = re.findall(r'class="spread c3" d="M([^"]*)Z"', text)
  corners = [tuple(map(float, xy.split(','))) for xy in path.split()]
  height = {x: [y for at, y in corners if at == x] for x, _ in corners}
  scale = height[right[0]][0] - height[right[0]][1]  # of 1
  assert scale > 150
  assert height[left[0]] == pytest.approx(
      [left[1] + scale / 4, left[1] - scale / 4], abs=0.2
  )


def test_a_spread_widens_the_axis_and_breaks_where_unknown():
  nan = float('nan')
  series = curves.Series(
      'a', [(1, 0.5), (2, 0.5), (3, 0.5)], 0,
      spread=[(1, 0.0, 0.9), (2, nan, nan), (3, 0.4, 0.6)],
  )
  text = curves.chart('t', 'n', [series])
  assert text.count('class="spread') == 2
  assert '>1.0<' in text and '>0.0<' in text


def test_bands_are_marked_and_named_once():
  series = [curves.Series('a', [(0, 0.0), (100, 1.0)], 0)]
  bands = [
      curves.Band(25, 50, 'is <winning>'), curves.Band(75, 75, 'is <winning>'),
      curves.Band(0, 10, 'idle'),
  ]
  text = curves.chart('t', 'n', series, limits=(0, 1), bands=bands)
  ((start, end),) = _lines(text)
  found = re.findall(
      r'class="band (b\d)" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', text
  )
  width = end[0] - start[0]
  assert [one[0] for one in found] == ['b0', 'b0', 'b1']
  assert float(found[0][1]) == pytest.approx(start[0] + width / 4, abs=0.1)
  assert float(found[0][2]) == pytest.approx(width / 4, abs=0.1)
  assert float(found[1][2]) > 1
  assert text.count('</svg>is &lt;winning&gt;</span>') == 1
  assert text.count('</svg>idle</span>') == 1
  assert 'is <winning>' not in text


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
  assert axes.ticks(low, high) == pytest.approx(expected)


def test_tick_texts():
  assert axes.written([0, 0.5, 1]) == ['0.0', '0.5', '1.0']
  assert axes.written([-2, 0, 2]) == ['\u22122', '0', '2']
  assert axes.written([0, 50_000, 100_000]) == ['0', '50k', '100k']
