import math
import re

import pytest
from drawing import elements, lines, texts, told

from adseg_jax.evaluation.statistics import paired
from adseg_jax.reporting import charts, plots
from adseg_jax.reporting.arms import score, study
from adseg_jax.reporting.numbers import NONE
from adseg_jax.reporting.runs import read_runs


def _joins(chart):
  return [one for one in lines(chart, 'ink') if len(one) > 1]


def test_dots_stand_at_their_values(folders):
  found = study(read_runs(folders))
  chart = charts.measures(found)[0]
  values = [
      value for arm in found.arms
      for value in arm.values(score('validation', 'mean_iou')).values()
  ]
  dots = [(x, y) for text, x, y in told(chart) if text.startswith('seed')]
  assert len(dots) == 6 and len({x for x, _ in dots}) == 2
  # Heights are linear in the values.
  low, high = values.index(min(values)), values.index(max(values))
  slope = (dots[high][1] - dots[low][1]) / (values[high] - values[low])
  assert slope < 0
  for (_, y), value in zip(dots, values, strict=True):
    expected = dots[low][1] + slope * (value - values[low])
    assert y == pytest.approx(expected, abs=0.15)
  means = [text for text, *_ in told(chart) if not text.startswith('seed')]
  assert means == [
      f'{short}: {sum(part) / 3:.3f}'
      for short, part in (('0', values[:3]), ('0.1', values[3:]))
  ]


def test_lines_join_the_dots_of_a_seed(folders):
  found = study(read_runs([*folders[:3], folders[4]]))
  chart = charts.measures(found)[0]
  dots = [(x, y) for text, x, y in told(chart) if text.startswith('seed')]
  ((*line,),) = _joins(chart)
  for found, expected in zip(line, (dots[1], dots[3]), strict=True):
    assert found == pytest.approx(expected, abs=0.01)


def test_a_measure_that_nobody_has_is_an_empty_plot():
  chart = plots.dots('t', 'n', [])
  assert told(chart) == [] and '<svg' in chart.svg
  column = plots.Column('"<a>\'', 0, {'seed 3': 0.5}, 0.5)
  alone = plots.dots('t', 'n', [column])
  assert [text for text, *_ in told(alone)] == [
      'seed 3: 0.500', '"<a>\': 0.500'
  ]
  assert '"<a>\'' in texts(alone)


def test_intervals_by_hand():
  rows = [
      ('one <b>', 'b', paired(
          {'seed 0': 2, 'seed 1': 4, 'seed 2': 6},
          {'seed 0': 1, 'seed 1': 2, 'seed 2': 3},
      )),
      ('alone', 'b', paired({'seed 0': -1.0}, {'seed 0': 0.0})),
      ('nothing', 'b', paired({}, {})),
  ]
  chart = plots.intervals('t', 'n', rows, {'b': 1})
  (start,), (length,) = zip(*(
      (re.findall(r'[-\d.]+', one.get('transform'))[0], one.get('x2'))
      for one in elements(chart)
      if one.tag == 'line' and one.get('stroke') == 'var(--c1)'
  ), strict=True)
  found = {text: x for text, x, _ in told(chart)}
  unit = found['seed 1: +2.000'] - found['seed 0: +1.000']
  zero = found['seed 0: +1.000'] - unit
  reach = 4.302653 / math.sqrt(3)
  assert float(start) == pytest.approx(zero + (2 - reach) * unit, abs=0.5)
  assert float(length) == pytest.approx(2 * reach * unit, abs=0.5)
  assert found['seed 0: \u22121.000'] == pytest.approx(zero - unit, abs=0.2)
  assert found['+2.000 (\u22120.484 to +4.484)'] == pytest.approx(
      zero + 2 * unit, abs=0.2
  )
  assert len(told(chart)) == 4 + 2  # seeds and means
  assert {'one <b>', 'alone', 'nothing'} <= set(texts(chart))
  assert 'one &lt;b&gt;' in chart.svg and '<b>' not in chart.svg


def test_rivals_stand_below_each_other_in_a_class():
  found = paired({0: 2, 1: 4}, {0: 1, 1: 2})
  rows = [('sky', 'a', found), ('sky', 'b', found)]
  chart = plots.intervals('t', 'n', rows, {'a': 1, 'b': 2})
  first, second = (y for text, _, y in told(chart) if text.startswith('+'))
  assert second > first + 10
  assert texts(chart).count('sky') == 1 and {'a', 'b'} <= set(texts(chart))


def test_confusion_by_hand():
  chart = plots.confusion('t', 'n', ['sky', '<sea>'], [[3, 1], [0, 0]])
  assert [text for text in texts(chart) if len(text) < 3] == [
      '75', '25', NONE, NONE
  ]
  assert [text for text, *_ in told(chart)] == [
      'sky as sky: 3 pixels', 'sky as <sea>: 1 pixel',
      '<sea> as sky: 0 pixels', '<sea> as <sea>: 0 pixels',
  ]
  shares = [
      float(one.get('fill-opacity')) for one in elements(chart)
      if one.get('fill') == 'var(--heat)'
  ]
  assert shares == [0.75, 0.25, 0, 0]
