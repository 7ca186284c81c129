import itertools
import math

import numpy as np
import pytest
from scipy import stats

from adseg_jax.evaluation import evidence
from adseg_jax.evaluation.evidence import (
    equivalence,
    holm,
    pairs_for,
    power,
    sign_flips,
    t_test,
    weigh,
)


def test_t_by_hand():
  # Mean 2, deviation 1: t = 2 sqrt(3), and with two degrees of freedom
  # p = 1 - t / sqrt(2 + t^2) = 1 - sqrt(12 / 14).
  assert t_test([1, 2, 3]) == pytest.approx(1 - math.sqrt(12 / 14))
  assert t_test([-1, -2, -3]) == pytest.approx(t_test([1, 2, 3]))
  assert t_test([0.1, 0.1]) == 0 and t_test([0.0, 0.0]) == 1


@pytest.mark.parametrize('values,share', [
    ([1, 2, 3], 2 / 8),  # only +++ and --- reach 6
    ([3, 1, -1], 6 / 8),  # sums 5, 3, 3, 1 and their negatives: 3 is reached
    # All sums are odd tenths: none is below 0.1, however it is rounded.
    ([0.1, 0.2, -0.3, 0.1], 1),
    ([0.01] * 5, 2 / 32),
    ([0.0, 0.0], 1),
])
def test_sign_flips_by_hand(values, share):
  assert sign_flips(values) == share


def test_sign_flips_of_twenty_pairs_are_all_looked_at():
  # All of one sign: 2 of 2^20.
  assert sign_flips([1.0] * 20) == 2 / 2 ** 20
  assert sign_flips([1.0] * 21) >= 1 / 100_001


def test_sign_flips_agree_with_a_loop_and_scipy(rng):
  values = rng.normal(0.4, 1, 9)
  sums = [
      abs(np.dot(signs, values))
      for signs in itertools.product([-1, 1], repeat=9)
  ]
  share = np.mean([one >= abs(values.sum()) - 1e-12 for one in sums])
  assert sign_flips(tuple(values)) == share
  found = stats.permutation_test(
      (values,), np.mean, permutation_type='samples', n_resamples=np.inf
  )
  assert found.pvalue == pytest.approx(share)


def test_many_pairs_are_drawn_and_repeat(rng):
  values = rng.normal(0.25, 1, 40)
  found = sign_flips(values)
  assert found == sign_flips(values)
  # Nearly normal: t's p is close. Never 0.
  assert found == pytest.approx(t_test(values), abs=0.02)
  assert sign_flips(np.full(40, 1.0)) == 1 / 100_001


def test_power_of_tables():
  # Cohen 1988, table 2.3.5 by way of n per group; pairs as G*Power has them.
  assert pairs_for(0.5, 1.0) == 34
  assert pairs_for(0.2, 1.0) == 199
  assert pairs_for(0.8, 1.0) == 15
  # Of no effect: alpha.
  assert power(7, 0.0, 1.0) == pytest.approx(0.05)


@pytest.mark.parametrize('pairs,effect', [(3, 1.0), (10, 0.7), (60, 0.3)])
def test_power_agrees_with_scipy(pairs, effect):
  bound = stats.t.ppf(0.975, pairs - 1)
  law = stats.nct(pairs - 1, effect * math.sqrt(pairs))
  assert power(pairs, effect, 1.0) == pytest.approx(
      law.sf(bound) + law.cdf(-bound), abs=1e-7
  )


def test_pairs_are_the_fewest():
  for deviation in (0.004, 0.0195, 0.1):
    pairs = pairs_for(0.01, deviation)
    assert power(pairs, 0.01, deviation) >= 0.8
    assert pairs == 2 or power(pairs - 1, 0.01, deviation) < 0.8
  # What Earth showed: +0.012 with a deviation of 0.0195.
  assert power(5, 0.012, 0.0195) == pytest.approx(0.18, abs=0.01)
  assert power(25, 0.012, 0.0195) == pytest.approx(0.83, abs=0.01)
  assert pairs_for(0.01, 0.0) == 2
  assert pairs_for(0.01, 1e-12) == 2


def test_equivalence_by_hand():
  # Mean 0, deviation 0.01, three pairs: t = 0.01 / (0.01 / sqrt 3) = sqrt 3
  # on both sides; with two degrees of freedom half of 1 - t / sqrt(2 + t^2).
  found = equivalence([-0.01, 0.0, 0.01])
  assert found == pytest.approx((1 - math.sqrt(3 / 5)) / 2)
  assert weigh((-0.01, 0.0, 0.01)).excludes == 'not excluded'
  assert weigh((-0.001, 0.0, 0.001)).excludes == 'excluded'
  # No spread: within, and beyond.
  assert equivalence([0.0, 0.0]) == 0 and equivalence([0.02, 0.02]) == 1


def test_equivalence_is_an_interval_of_ninety_per_cent(rng):
  for mean in (-0.008, 0.0, 0.006, 0.02):
    values = rng.normal(mean, 0.006, 8)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (equivalence(values) < 0.05) == (low > -0.01 and high < 0.01)


def test_holm_by_hand():
  # Sorted 0.01, 0.02, 0.03, 0.5: times 4, 3, 2, 1, never falling.
  assert holm([0.03, 0.5, 0.01, 0.02]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
  assert holm([0.6, 0.7]) == [1.0, 1.0]
  one, none = holm([0.04, math.nan])
  assert one == 0.04 and math.isnan(none)
  assert holm([]) == []


def test_below_two_pairs_nothing_is_weighed():
  assert weigh(()) is None and weigh((0.1,)) is None
  found = weigh((0.01, 0.02, 0.03))
  assert found.deviation_of_pairs == pytest.approx(0.01)
  assert found.p_t == pytest.approx(t_test([1, 2, 3]))
  assert found.needed == [
      pairs_for(effect, found.deviation_of_pairs) for effect in (0.005, 0.01)
  ]
  assert evidence.EFFECTS == (0.005, 0.01)
