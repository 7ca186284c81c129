"""What a comparison shows, in plain words."""

from adseg_jax.evaluation import evidence
from adseg_jax.evaluation.evidence import EFFECTS, MARGIN, POWER
from adseg_jax.evaluation.statistics import Difference
from adseg_jax.reporting.arms import Study, score
from adseg_jax.reporting.numbers import difference, interval
from adseg_jax.wording import counted


def plainly(found: Difference) -> str:
  """Whether a difference is shown, and by how many pairs."""
  count = len(found.pairs)
  if not count:
    return 'no seed is common to both: nothing can be compared'
  if not found.has_interval:
    return (
        f'only {found.pairs[0]} is common to both: no interval can be given, '
        'and another seed may say otherwise'
    )
  if found.holds_zero:
    return f'the interval holds 0: these {count} pairs do not show a difference'
  word = 'higher' if found.mean > 0 else 'lower'
  return f'the interval does not hold 0: over these {count} pairs it is {word}'


def briefly(found: Difference) -> str:
  """The same in a few words, for a table."""
  if not found.has_interval:
    return 'too few pairs'
  if found.holds_zero:
    return 'holds 0: no difference shown'
  return 'higher' if found.mean > 0 else 'lower'


def further(found: Difference) -> str:
  """What the pairs exclude, and how many would show more; '' below two."""
  shown = evidence.weigh(found.values)
  if not shown:
    return ''
  few, many = (f'{count:,}' for count in sorted(shown.needed))
  return (
      f'; differences beyond ±{MARGIN:g} are {shown.excludes}. At this spread '
      f'{few} pairs would show a difference of {max(EFFECTS):g}, {many} one of '
      f'{min(EFFECTS):g} (power {POWER:g})'
  )


def sentences(study: Study) -> list[str]:
  """What mean IoU shows, per rival and split; none where there is one arm."""
  found = [
      (arm, split, study.difference(arm, score(split, 'mean_iou')))
      for arm in study.rivals for split in study.splits
  ]
  return [
      f'mean IoU, {split}, {arm.label} against {study.reference.short}: '
      f'{difference(one.mean)}'
      + f' (95 % interval {interval(one)})' * one.has_interval
      + f'; {plainly(one)}{further(one)}.' for arm, split, one in found
  ]


def cautions(study: Study) -> list[str]:
  """What else should be known before a difference is believed."""
  found = []
  if study.rivals and study.folds > 1:
    seeds = {run.settings['seed'] for run in study.runs.values()}
    found.append(
        f'Pairs are over {study.folds} folds x {counted(len(seeds), "seed")}. '
        'Folds share images to train on, so that pairs are not independent: '
        'intervals are too narrow, p too small (Nadeau and Bengio 2003).'
    )
  for arm in study.rivals:
    alone = sorted(arm.runs.keys() ^ study.reference.runs.keys())
    if alone:
      found.append(
          f'In one of {arm.label} and {study.reference.label} only: '
          f'{"; ".join(alone)}. They count in the means, not in the '
          'differences.'
      )
  starts = [start for run in study.runs.values() for start in run.starts]
  for key in ('commit', 'devices', 'versions'):
    if any(start[key] != starts[0][key] for start in starts):
      found.append(
          f'Not all runs were made with the same {key}: see how they were '
          'made, at the end.'
      )
  return found
