"""What a comparison shows, in plain words."""

from adseg_jax.reporting.arms import Arm, Study, score
from adseg_jax.reporting.numbers import difference, interval, listed
from adseg_jax.reporting.runs import MEASURES
from adseg_jax.reporting.statistics import Difference


def plainly(found: Difference) -> str:
  """Whether a difference is shown, and by how many seeds."""
  count = len(found.seeds)
  if not count:
    return 'no seed is common to both: nothing can be compared'
  if not found.has_interval:
    return (
        f'only seed {found.seeds[0]} is common to both: no interval can be '
        'given, and another seed may say otherwise'
    )
  if found.holds_zero:
    return f'the interval holds 0: these {count} seeds do not show a difference'
  word = 'higher' if found.mean > 0 else 'lower'
  return f'the interval does not hold 0: over these {count} seeds it is {word}'


def briefly(found: Difference) -> str:
  """The same in a few words, for a table."""
  if not found.has_interval:
    return 'too few common seeds'
  if found.holds_zero:
    return 'holds 0: no difference shown'
  return 'higher' if found.mean > 0 else 'lower'


def sentence(study: Study, arm: Arm, split: str, key: str) -> str:
  """One measure of one arm against the reference's, such as 'mean IoU ...'."""
  found = study.difference(arm, score(split, key))
  reach = (
      f' (95 % interval {interval(found)})' if found.has_interval else ''
  )
  return (
      f'{MEASURES[key]}, {split}, {arm.label} against {study.reference.short}: '
      f'{difference(found.mean)}{reach}; {plainly(found)}.'
  )


def sentences(study: Study, keys=('mean_iou',)) -> list[str]:
  """A sentence per rival, split and measure; none where there is one arm."""
  return [
      sentence(study, arm, split, key)
      for arm in study.rivals for split in study.splits for key in keys
  ]


def cautions(study: Study) -> list[str]:
  """What else should be known before a difference is believed."""
  found = []
  for arm in study.rivals:
    alone = sorted(arm.runs.keys() ^ study.reference.runs.keys())
    if alone:
      found.append(
          f'Seeds {listed(alone)} are in one of {arm.label} and '
          f'{study.reference.label} only: they count in the means, not in the '
          'differences.'
      )
  runs = [run for arm in study.arms for run in arm.runs.values()]
  starts = [start for run in runs for start in run.starts]
  for key in ('commit', 'devices', 'versions'):
    if any(start[key] != starts[0][key] for start in starts):
      found.append(
          f'Not all runs were made with the same {key}: see how they were '
          'made, at the end.'
      )
  return found
