"""Arms: runs that differ in seed and fold only, and how arms are compared."""

import dataclasses
import json
import string
from collections.abc import Callable

from adseg_jax.config import LESSONS
from adseg_jax.errors import UserError
from adseg_jax.evaluation import statistics
from adseg_jax.evaluation.statistics import Difference, Summary
from adseg_jax.reporting import numbers
from adseg_jax.reporting.runs import Run
from adseg_jax.training.run import PLACES

# What may differ within an arm.
_FREE = ('seed', 'data.fold', 'name', *PLACES)
_SHORT = 12  # characters that a value may have to be a short name


@dataclasses.dataclass(frozen=True, eq=False)
class Arm:
  """Runs of one experiment, by fold and seed, in order.

  Its name is the settings by which it differs from the other arms, or the
  experiment's where there is no other. The short one is for narrow places: the
  value of the one setting that differs or, where that is long or several
  differ, a letter that the name begins with. Runs are named 'seed 3' or, where
  the report is about several folds, 'fold 1, seed 3': that is what is paired.
  """

  name: str
  short: str
  colour: int
  runs: dict[str, Run]

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
    """Lambda."""
    return self.first.settings['adversary.weight']

  @property
  def is_control(self) -> bool:
    """Whether lambda is 0, and nothing is learnt from unlabelled images."""
    lessons = (f'unlabelled.{name}' for name in LESSONS)
    return not any(map(self.first.settings.get, ('adversary.weight', *lessons)))

  def values(self, measure: Callable[[Run], float | None]) -> dict:
    """Name of a run -> measure, of the runs that have it and know it."""
    return {
        name: value for name, run in self.runs.items()
        if (value := measure(run)) is not None and value == value
    }

  def summary(self, measure: Callable[[Run], float | None]) -> Summary:
    """Mean and standard deviation of a measure over the runs."""
    return statistics.summarize(self.values(measure).values())


@dataclasses.dataclass(frozen=True)
class Study:
  """Everything that a report is about.

  Attributes:
    arms: as they were named.
    reference: the arm that the others are compared with: the first that is a
      control, or else the first; None if there is one arm.
    rivals: the arms that are compared with it.
    main: the arm of which most is shown: the first rival, or the only arm.
    runs: of all arms, by arm, fold and seed.
    folds: how many there are.
    has_seeds: whether an arm has more than one run.
    splits: that were scored, the validation split first.
  """

  arms: list[Arm]
  reference: Arm | None
  rivals: list[Arm]
  main: Arm
  runs: dict[str, Run]
  folds: int
  has_seeds: bool
  splits: list[str]

  def difference(self, arm: Arm, measure: Callable) -> Difference:
    """An arm's measure minus the reference's, paired by fold and seed."""
    theirs = self.reference.values(measure)
    return statistics.paired(arm.values(measure), theirs)


def score(split: str, key: str, place: int | None = None) -> Callable:
  """Measure: a mean score of a split, or that of the class at a place.

  None where a run lacks the split.
  """
  def measure(run):
    found = run.on(split)
    return found and (found if place is None else found['classes'][place])[key]
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
    place = run.settings['data.fold'], run.settings['seed']
    if place in group:
      raise UserError(
          f'{group[place].folder} and {run.folder} are the same experiment '
          f'with the same seed, {place[1]}: name one of them'
      )
    group[place] = run
  folds = len({run.settings['data.fold'] for run in runs})
  groups = [
      {f'fold {fold}, ' * (folds > 1) + f'seed {seed}': group[fold, seed]
       for fold, seed in sorted(group)} for group in groups.values()
  ]
  arms = [
      Arm(*names, colour, groups[colour])
      for colour, names in enumerate(_names(groups))
  ]
  control = next((arm for arm in arms if arm.is_control), arms[0])
  rivals = [arm for arm in arms if arm is not control]
  return Study(
      arms=arms, reference=control if rivals else None, rivals=rivals,
      main=rivals[0] if rivals else control,
      runs={
          f'{arm.label}, {name}': run
          for arm in arms for name, run in arm.runs.items()
      },
      folds=folds, has_seeds=any(len(arm.runs) > 1 for arm in arms),
      splits=list(dict.fromkeys(
          one['split'] for arm in arms for run in arm.runs.values()
          for one in run.scored
      )),
  )


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
  values = [
      [numbers.value(one.get(key, '(not set)')) for key in keys]
      for one in settings
  ]
  pairs = [zip(keys, row, strict=True) for row in values]
  names = [', '.join(map(' '.join, pair)) for pair in pairs]
  shorts = [row[0] for row in values]
  if (len(keys) > 1 or max(map(len, shorts)) > _SHORT
      or len({*shorts}) < len(shorts)):
    shorts = [
        string.ascii_uppercase[place % 26] + str(place // 26 or '')
        for place in range(len(names))
    ]
    names = list(map('{}: {}'.format, shorts, names))
  return list(zip(names, shorts, strict=True))
