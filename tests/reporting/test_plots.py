import math
import re

import pytest

from adseg_jax.reporting import plots
from adseg_jax.reporting.arms import score, study
from adseg_jax.reporting.runs import read_runs
from adseg_jax.reporting.statistics import paired


def _circles(text, style):
  return [
      (float(x), float(y)) for x, y in re.findall(
          rf'class="{style}[^"]*" cx="([\d.]+)" cy="([\d.]+)"', text
      )
  ]


def test_dots_stand_at_their_values(folders):
  found = study(read_runs(folders))
  measure = score('validation', 'mean_iou')
  text = plots.dots('t', 'n', found.arms, measure)
  values = [
      value for arm in found.arms for value in arm.by_seed(measure).values()
  ]
  dots = _circles(text, 'dot')
  assert len(dots) == 6
  assert len({x for x, _ in dots}) == 2
  # Heights are linear in the values.
  low, high = values.index(min(values)), values.index(max(values))
  slope = (dots[high][1] - dots[low][1]) / (values[high] - values[low])
  assert slope < 0
  for (_, y), value in zip(dots, values, strict=True):
    expected = dots[low][1] + slope * (value - values[low])
    assert y == pytest.approx(expected, abs=0.15)
  (first, second) = re.findall(r'class="mean" d="M[\d.]+ ([\d.]+)H', text)
  assert float(first) == pytest.approx(
      sum(y for _, y in dots[:3]) / 3, abs=0.15
  )
  assert first != second


def test_lines_join_the_dots_of_a_seed(folders):
  found = study(read_runs([*folders[:3], folders[4]]))
  text = plots.dots('t', 'n', found.arms, score('validation', 'mean_iou'))
  lines = [
      [tuple(map(float, xy.split(','))) for xy in points.split()]
      for points in re.findall(r'class="pair" points="([^"]*)"', text)
  ]
  dots = _circles(text, 'dot')
  assert [len(line) for line in lines] == [1, 2, 1]
  assert lines[1] == [dots[1], dots[3]]


def test_a_measure_that_nobody_has_is_an_empty_plot(folders):
  found = study(read_runs(folders))
  text = plots.dots('t', 'n', found.arms, lambda run: math.nan)
  assert '<circle' not in text and '<svg' in text


def test_intervals_by_hand():
  rows = [
      ('one <b>', paired({0: 2, 1: 4, 2: 6}, {0: 1, 1: 2, 2: 3}), 1),
      ('alone', paired({0: -1.0}, {0: 0.0}), 1),
      ('nothing', paired({}, {}), 1),
  ]
  text = plots.intervals('t', 'n', rows, {'b': 1})
  (zero,) = re.findall(r'class="zero" d="M([\d.]+)', text)
  (low, high), = re.findall(
      r'class="line c1" d="M([\d.]+) [\d.]+H([\d.]+)', text
  )
  seeds = _circles(text, 'seed')
  unit = seeds[1][0] - seeds[0][0]  # between differences of 1 and 2
  assert seeds[0][0] - float(zero) == pytest.approx(unit, abs=0.2)
  reach = 4.302653 / math.sqrt(3)
  assert float(high) == pytest.approx(float(zero) + (2 + reach) * unit, abs=0.5)
  assert float(low) == pytest.approx(float(zero) + (2 - reach) * unit, abs=0.5)
  assert seeds[3][0] == pytest.approx(float(zero) - unit, abs=0.2)
  assert len(_circles(text, 'dot')) == 2 + 1  # the means and the legend's
  assert 'one &lt;b&gt;' in text and '<b>' not in text


def test_a_long_label_is_shortened():
  text = plots.intervals('t', 'n', [('x' * 40, paired({}, {}), 0)], {})
  assert 'x' * 21 + '…<' in text and 'x' * 22 not in text
