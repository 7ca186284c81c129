"""Means over runs and paired differences with their interval: pure functions.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95


class Summary(NamedTuple):
  """Mean, sample standard deviation (nan below two) and count of values."""

  mean: float
  deviation: float
  count: int


def summarize(values: Iterable[float]) -> Summary:
  """Mean and sample standard deviation; nan is left out."""
  known = np.array([value for value in values if not math.isnan(value)])
  return Summary(
      float(known.mean()) if known.size else math.nan,
      float(known.std(ddof=1)) if known.size > 1 else math.nan, known.size,
  )


class Difference(NamedTuple):
  """One arm's measure minus another's, for each pair of runs.

  Pairs are the names of the runs. The mean is nan without a pair, low and high,
  the ends of its confidence interval, below two.
  """

  pairs: tuple[str, ...]
  values: tuple[float, ...]
  mean: float
  low: float
  high: float

  @property
  def has_interval(self) -> bool:
    """Whether there are pairs enough, two or more."""
    return not math.isnan(self.low)

  @property
  def holds_zero(self) -> bool:
    """Whether the interval holds 0: no difference is shown."""
    return self.low <= 0 <= self.high


def paired(
    ours: Mapping[str, float], theirs: Mapping[str, float]
) -> Difference:
  """Difference of two arms, with Student's t interval of its mean.

  Mean plus and minus t(0.975, n - 1) s / sqrt(n), where s is the sample
  standard deviation of the n differences (Student 1908, "The probable error
  of a mean"). Arms are name of a run -> measure; a name that is not in both, or
  nan in one, is left out.
  """
  differences = {
      name: value for name in ours if name in theirs
      and not math.isnan(value := ours[name] - theirs[name])
  }
  found = summarize(differences.values())
  reach = math.nan
  if found.count > 1:
    quantile = stdtrit(found.count - 1, (1 + CONFIDENCE) / 2)
    reach = float(quantile) * found.deviation / math.sqrt(found.count)
  return Difference(
      tuple(differences), tuple(differences.values()), found.mean,
      found.mean - reach, found.mean + reach,
  )
