"""Arms: runs that differ in their seed only, and how arms are compared."""

import dataclasses
import json
import string
from collections.abc import Callable

from adseg_jax.errors import UserError
from adseg_jax.reporting import numbers, statistics
from adseg_jax.reporting.runs import Run
from adseg_jax.reporting.statistics import Difference, Summary
from adseg_jax.training.run import PLACES

# What may differ within an arm.
_FREE = ('seed', 'name', *PLACES)
_SHORT = 12  # characters that a value may have to be a short name


@dataclasses.dataclass(frozen=True, eq=False)
class Arm:
  """Runs of one experiment, by their seeds, in order.

  Its name is the settings by which it differs from the other arms, or the
  experiment's where there is no other. The short one is for narrow places: the
  value of the one setting that differs or, where that is long or several
  differ, a letter that the name begins with.
  """

  name: str
  short: str
  colour: int
  runs: dict[int, Run]

  @property
  def label(self) -> str:
    """The name, or 'arm A' where the name begins with that letter."""
    lettered = self.name.startswith(f'{self.short}: ')
    return f'arm {self.short}' if lettered else self.name

  @property
  def first(self) -> Run:
    """The run with the lowest seed, for what all runs share."""
    return next(iter(self.runs.values()))

  @property
  def weight(self) -> float:
    """Lambda; 0 is the control."""
    return self.first.weight

  def by_seed(self, measure: Callable[[Run], float | None]) -> dict:
    """Seed -> measure, of the runs that have it."""
    found = {seed: measure(run) for seed, run in self.runs.items()}
    return {seed: value for seed, value in found.items() if value is not None}

  def summary(self, measure: Callable[[Run], float | None]) -> Summary:
    """Mean and standard deviation of a measure over the seeds."""
    return statistics.summarize(self.by_seed(measure).values())


@dataclasses.dataclass(frozen=True)
class Study:
  """Everything that a report is about: arms as they were named.

  The reference is the arm that the others are compared with: the first with
  lambda = 0, the control, or else the first; None if there is one arm.
  """

  arms: list[Arm]
  reference: Arm | None

  @property
  def main(self) -> Arm:
    """The arm of which most is shown: the first beside the reference."""
    return next(arm for arm in self.arms if arm is not self.reference)

  @property
  def rivals(self) -> list[Arm]:
    """The arms that are compared with the reference."""
    return [
        arm for arm in self.arms if self.reference and arm is not self.reference
    ]

  @property
  def runs(self) -> list[Run]:
    """The runs of all arms."""
    return [run for arm in self.arms for run in arm.runs.values()]

  @property
  def has_seeds(self) -> bool:
    """Whether an arm has more than one."""
    return any(len(arm.runs) > 1 for arm in self.arms)

  @property
  def splits(self) -> list[str]:
    """Splits that were scored, the validation split first."""
    return list(dict.fromkeys(
        scores['split'] for run in self.runs for scores in run.scored
    ))

  def difference(self, arm: Arm, measure: Callable) -> Difference:
    """An arm's measure minus the reference's, paired by seed."""
    theirs = self.reference.by_seed(measure)
    return statistics.paired(arm.by_seed(measure), theirs)


def score(split: str, key: str) -> Callable[[Run], float | None]:
  """Measure: a mean score of a split; None where a run lacks the split."""
  def measure(run):
    found = run.on(split)
    return found and found[key]
  return measure


def class_score(split: str, place: int, key: str = 'iou') -> Callable:
  """Measure: a score of the class at a place."""
  def measure(run):
    found = run.on(split)
    return found and found['classes'][place][key]
  return measure


def study(runs: list[Run]) -> Study:
  """Groups runs into arms and names them.

  Raises:
    UserError: two runs are the same experiment with the same seed.
  """
  groups = {}
  for run in runs:
    settings = {k: v for k, v in run.settings.items() if k not in _FREE}
    group = groups.setdefault(json.dumps(settings, sort_keys=True), {})
    seed = run.settings['seed']
    if seed in group:
      raise UserError(
          f'{group[seed].folder} and {run.folder} are the same experiment with '
          f'the same seed, {seed}: name one of them'
      )
    group[seed] = run
  groups = [dict(sorted(group.items())) for group in groups.values()]
  arms = [
      Arm(*names, colour, groups[colour])
      for colour, names in enumerate(_names(groups))
  ]
  reference = None
  if len(arms) > 1:
    reference = next((arm for arm in arms if arm.weight == 0), arms[0])
  return Study(arms, reference)


def differing(settings: list[dict]) -> list[str]:
  """Names of the settings that are not the same in all experiments."""
  first = settings[0]
  return [
      key for key in dict.fromkeys(key for one in settings for key in one)
      if key not in _FREE
      and any(one.get(key) != first.get(key) for one in settings)
  ]


def _names(groups) -> list[tuple[str, str]]:
  """Name and short name of every arm."""
  settings = [next(iter(group.values())).settings for group in groups]
  keys = differing(settings)
  if not keys:
    return [(str(settings[0]['name']), '')]
  names = [
      ', '.join(f'{key} {_value(one, key)}' for key in keys)
      for one in settings
  ]
  values = [_value(one, keys[0]) for one in settings]
  if (len(keys) == 1 and max(map(len, values)) <= _SHORT
      and len({*values}) == len(values)):
    return list(zip(names, values, strict=True))
  found = []
  for place, name in enumerate(names):
    more, place = divmod(place, len(string.ascii_uppercase))
    letter = string.ascii_uppercase[place] + str(more or '')
    found.append((f'{letter}: {name}', letter))
  return found


def _value(settings, key):
  return numbers.value(settings.get(key, '(not set)'))
