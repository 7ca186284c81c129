"""What paired differences can show, and could with more: pure functions.

All take the differences of n pairs, which are taken to be independent and,
but for the sign flips, normal.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import nctdtr, ndtri, stdtr, stdtrit

from adseg_jax.evaluation.statistics import summarize

ALPHA, POWER = 0.05, 0.8  # the field's custom (Cohen 1988)
MARGIN = 0.01  # differences of a mean IoU within it hardly matter; chosen
EFFECTS = 0.005, 0.01  # that pairs are counted for; chosen
_EXACT = 20  # pairs up to which all 2^n flips are looked at
_DRAWS = 100_000


def _t(values, shift=0.0) -> float:
  """The differences' mean + shift, in standard errors."""
  found = summarize(values)
  error = found.deviation / math.sqrt(found.count)
  with np.errstate(divide='ignore', invalid='ignore'):
    ratio = np.float64(found.mean + shift) / error
  return 0.0 if np.isnan(ratio) else float(ratio)


def t_test(values: Sequence[float]) -> float:
  """Two-sided p of Student's paired t test (Student 1908)."""
  return 2 * float(stdtr(len(values) - 1, -abs(_t(values))))


def sign_flips(values: Sequence[float]) -> float:
  """Two-sided p of the sign-flip permutation test of the mean.

  Without a difference each sign is a coin's (Fisher 1935, "The design of
  experiments", section 21; Pitman 1937): p is the share of the 2^n flips whose
  mean lies at least as far from 0. Above 20 pairs, of 100,000 flips from a
  fixed seed and the observed one (Phipson and Smyth 2010).
  """
  exact = len(values) <= _EXACT
  sums = np.zeros(1 if exact else _DRAWS)
  rng = np.random.default_rng(0)
  for value in values:
    if exact:
      sums = np.concatenate([sums + value, sums - value])
    else:
      sums += value * rng.choice([-1, 1], _DRAWS)
  # A flip that ties with the observed one must not differ by rounding.
  reach = abs(sum(values)) - 1e-9 * sum(map(abs, values))
  hits = int((np.abs(sums) >= reach).sum())
  return hits / len(sums) if exact else (hits + 1) / (_DRAWS + 1)


def equivalence(values: Sequence[float], margin: float = MARGIN) -> float:
  """p of two one-sided t tests (Schuirmann 1987).

  Below 0.05, differences beyond plus and minus the margin are excluded: the
  90 % interval of the mean lies within.
  """
  count = len(values)
  above = stdtr(count - 1, _t(values, -margin))
  below = stdtr(count - 1, -_t(values, margin))
  return float(max(above, below))


def power(pairs: int, effect: float, deviation: float) -> float:
  """Chance that the two-sided t test shows an effect, at alpha 0.05.

  By the noncentral t distribution (Cohen 1988, "Statistical power analysis for
  the behavioral sciences", chapter 2).

  Args:
    pairs: how many, 2 or more.
    effect: the true mean difference.
    deviation: standard deviation of the differences, above 0.
  """
  shift = effect / deviation * math.sqrt(pairs)
  bound = stdtrit(pairs - 1, 1 - ALPHA / 2)
  below, above = nctdtr(pairs - 1, shift, [-bound, bound])
  return float(below + 1 - above)


def pairs_for(effect: float, deviation: float) -> int:
  """The fewest pairs that show an effect with a power of 0.8."""
  if not deviation:
    return 2
  # With a known deviation it would be so many; t asks for a few more.
  normal = (ndtri(POWER) + ndtri(1 - ALPHA / 2)) * deviation / effect
  pairs = max(2, math.floor(normal ** 2))
  while power(pairs, effect, deviation) < POWER:
    pairs += 1
  return pairs


def holm(found: Sequence[float]) -> list[float]:
  """p of several tests, corrected (Holm 1979); nan is no test and stays.

  Those below 0.05 show a difference, with a chance of at most 0.05 that any of
  them is none.
  """
  order = [i for i in np.argsort(found) if not math.isnan(found[i])]
  corrected, least = list(found), 0.0
  for place, i in enumerate(order):
    least = max(least, min(1.0, (len(order) - place) * found[i]))
    corrected[i] = least
  return corrected


class Evidence(NamedTuple):
  """What two pairs or more show of a difference: p values, and the spread."""

  deviation_of_pairs: float
  p_t: float
  p_sign_flips: float
  p_equivalence: float

  @property
  def needed(self) -> list[int]:
    """Pairs that would show each of EFFECTS at this spread."""
    return [pairs_for(effect, self.deviation_of_pairs) for effect in EFFECTS]

  @property
  def excludes(self) -> str:
    """Whether differences beyond the margin are excluded, in words."""
    return 'excluded' if self.p_equivalence < ALPHA else 'not excluded'


@functools.cache
def weigh(values: tuple[float, ...]) -> Evidence | None:
  """All that differences of pairs show; None below two."""
  if len(values) < 2:
    return None
  return Evidence(
      summarize(values).deviation, t_test(values), sign_flips(values),
      equivalence(values),
  )
