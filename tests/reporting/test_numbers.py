import math

import pytest

from adseg_jax.evaluation.statistics import paired, summarize
from adseg_jax.reporting import numbers


@pytest.mark.parametrize('seconds, text', [
    (0.4, '0 s'), (59.7, '1 min 00 s'), (125, '2 min 05 s'),
    (7260, '2 h 01 min'), (math.nan, numbers.NONE),
])
def test_duration(seconds, text):
  assert numbers.duration(seconds) == text


@pytest.mark.parametrize('value, text', [
    (0.1234, '+0.123'), (-0.02, '\u22120.020'), (-0.0001, '0.000'),
    (math.nan, numbers.NONE),
])
def test_difference(value, text):
  assert numbers.difference(value) == text


def test_spread_and_interval():
  assert numbers.spread(summarize([0.5])) == '0.500'
  assert numbers.spread(summarize([0.5, 0.7])) == '0.600 ± 0.141'
  assert numbers.spread(summarize([])) == numbers.NONE
  assert numbers.interval(paired({0: 1.0}, {0: 0.5})) == numbers.NONE
  found = paired({0: 0.2, 1: 0.4}, {0: 0.1, 1: 0.5})
  assert numbers.interval(found) == '\u22121.271 to +1.271'


@pytest.mark.parametrize('setting, text', [
    (0.05, '0.05'), (0.0, '0'), ([64, 64], '64 64'), ('', '(empty)'),
    ([], '(none)'), (False, 'False'), ('bce', 'bce'),
])
def test_value(setting, text):
  assert numbers.value(setting) == text


@pytest.mark.parametrize('value, text', [
    (0.0421, '0.042'), (1.0, '1.0'), (0.25, '0.25'), (0.00094, '< 0.001'),
    (math.nan, numbers.NONE),
])
def test_chance(value, text):
  assert numbers.chance(value) == text
