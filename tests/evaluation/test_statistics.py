import math

import numpy as np
import pytest
from scipy import stats

from adseg_jax.evaluation.statistics import paired, summarize

NAN = math.nan


def test_a_summary_by_hand():
  # Deviations of 1, 2, 6 from their mean 3: 4 + 1 + 9 = 14, over n - 1 = 2.
  found = summarize([1, 2, 6])
  assert (found.mean, found.count) == (3, 3)
  assert found.deviation == pytest.approx(math.sqrt(7))


def test_what_is_unknown_is_left_out():
  assert summarize([1.0, NAN, 3.0]) == summarize([1.0, 3.0])
  alone = summarize([NAN, 0.5])
  assert (alone.mean, alone.count) == (0.5, 1)
  assert math.isnan(alone.deviation)
  nothing = summarize([])
  assert math.isnan(nothing.mean) and nothing.count == 0


def test_an_interval_by_hand():
  # Differences 1, 2, 3: mean 2, s = 1, t(0.975, 2) = 4.302653 of any table.
  found = paired({0: 2, 1: 4, 2: 6}, {0: 1, 1: 2, 2: 3})
  assert found.values == (1, 2, 3)
  assert found.mean == 2
  assert found.high - 2 == pytest.approx(4.302653 / math.sqrt(3), abs=1e-6)
  assert 2 - found.low == pytest.approx(found.high - 2)
  assert found.holds_zero


def test_three_seeds_of_earth():
  found = paired(
      {0: 0.597, 2: 0.574, 3: 0.615}, {0: 0.584, 2: 0.540, 3: 0.615}
  )
  assert found.mean == pytest.approx(0.0157, abs=1e-4)
  assert (round(found.low, 3), round(found.high, 3)) == (-0.027, 0.058)


@pytest.mark.parametrize('count', [2, 3, 5, 30])
def test_agrees_with_scipy(count, rng):
  ours, theirs = rng.normal(size=(2, count))
  found = paired(dict(enumerate(ours)), dict(enumerate(theirs)))
  expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
  np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-9)
  assert found.holds_zero == (stats.ttest_rel(ours, theirs).pvalue >= 0.05)


def test_pairing_takes_away_what_a_seed_adds(rng):
  ours, theirs = rng.normal(size=(2, 6))
  seeds = 10 * rng.normal(size=6)
  found = paired(dict(enumerate(ours)), dict(enumerate(theirs)))
  moved = paired(
      dict(enumerate(ours + seeds)), dict(enumerate(theirs + seeds))
  )
  assert moved.low == pytest.approx(found.low)
  assert moved.high == pytest.approx(found.high)
  turned = paired(dict(enumerate(theirs)), dict(enumerate(ours)))
  assert turned.low == pytest.approx(-found.high)


def test_only_common_seeds_with_both_values_count():
  found = paired({5: 1.0, 1: 2.0, 7: 3.0, 2: NAN}, {1: 1.0, 5: 3.0, 2: 1.0})
  assert found.pairs == (5, 1)
  assert found.values == (-2.0, 1.0)
  assert found.has_interval


@pytest.mark.parametrize('ours,values', [({0: 0.5}, (0.25,)), ({1: 1.0}, ())])
def test_below_two_seeds_there_is_no_interval(ours, values):
  found = paired(ours, {0: 0.25, 2: 0.5})
  assert found.values == values
  assert not found.has_interval and not found.holds_zero
  assert math.isnan(found.mean) == (not values)


def test_a_clear_difference_does_not_hold_zero():
  up = paired({0: 1.0, 1: 1.1}, {0: 0.0, 1: 0.11})
  assert up.low > 0 and not up.holds_zero
  same = paired({0: 1.0, 1: 1.1}, {0: 1.0, 1: 1.1})
  assert (same.low, same.high) == (0, 0) and same.holds_zero
