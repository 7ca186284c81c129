"""The curves of a report: means over the seeds of each arm, with their spread.
"""

import math

from adseg_jax.reporting import plots
from adseg_jax.reporting.arms import Arm, Study, score
from adseg_jax.reporting.curves import Band, Series, chart
from adseg_jax.reporting.runs import MEASURES
from adseg_jax.reporting.statistics import summarize


def over_seeds(arm: Arm, key: str, kind: str = 'train') -> tuple[list, list]:
  """(step, mean) and (step, mean - deviation, mean + deviation) over seeds.

  A step counts the runs that have a number there; with fewer than two the
  spread is nan.

  Args:
    arm: whose runs.
    key: name of the metric.
    kind: 'train' or 'validation'.
  """
  steps = {}
  for run in arm.runs.values():
    for step, value in run.curve(key, kind):
      steps.setdefault(step, []).append(math.nan if value is None else value)
  found = {step: summarize(values) for step, values in sorted(steps.items())}
  return (
      [(step, one.mean) for step, one in found.items()],
      [(step, one.mean - one.deviation, one.mean + one.deviation)
       for step, one in found.items()],
  )


def _spread(study):
  if not study.has_seeds:
    return ''
  return ' Line and area: mean and standard deviation of the seeds.'


def _by_arm(study, key, kind):
  return [
      Series(arm.label, points, arm.colour, spread=spread)
      for arm in study.arms
      for points, spread in [over_seeds(arm, key, kind)]
  ]


def learning(study: Study) -> str:
  """Curves of validation mean IoU and of the segmentation loss."""
  reduced = {'sum': 'sum over the pixels of an image'}.get(
      study.main.first.settings.get('adversary.reduction'), 'mean over pixels'
  )
  return '<div class="charts">' + chart(
      'Validation mean IoU',
      'Every validation image, at its own size.' + _spread(study),
      _by_arm(study, 'mean_iou', 'validation'),
  ) + chart(
      'Segmentation loss',
      f'Cross-entropy on training crops, {reduced}.' + _spread(study),
      _by_arm(study, 'segmentation_loss', 'train'),
  ) + '</div>'


def adversary(study: Study, bands: list[Band] = ()) -> str:
  """Curves of both sides' losses and of what the discriminator believes.

  Empty where no arm has an adversary.

  Args:
    study: what the report is about.
    bands: stretches of steps to mark in these curves.
  """
  rivals = [arm for arm in study.arms if arm.weight]
  if not rivals:
    return ''

  def by_kind(kinds):
    return [
        Series(
            label if len(rivals) == 1 else f'{label}, {arm.label}',
            points, colour, dash, spread,
        )
        for dash, arm in enumerate(rivals) for key, label, colour in kinds
        for points, spread in [over_seeds(arm, key)]
    ]

  losses = by_kind([
      ('adversarial_loss', 'segmentor', 2),
      ('discriminator_loss', 'discriminator', 3),
  ])
  beliefs = by_kind([('d_real', 'D(real)', 2), ('d_fake', 'D(fake)', 3)])
  return '<div class="charts">' + chart(
      'Adversarial losses',
      'A discriminator whose loss stays near 0 has won: the segmentor learns '
      'nothing from it.' + _spread(study), losses, bands=bands,
  ) + chart(
      'What the discriminator believes',
      'Mean probability that it calls a map real; at 0.5 (dotted) it can not '
      'tell.' + _spread(study), beliefs, limits=(0, 1), rule=0.5, bands=bands,
  ) + '</div>'


def measures(study: Study) -> str:
  """A plot per measure and split with a dot per seed; empty for one seed."""
  if not study.has_seeds:
    return ''
  note = 'A dot is a seed, a bar the mean.'
  if study.reference:
    note += ' Lines join the dots of one seed.'
  return '<div class="charts small">' + ''.join(
      plots.dots(f'{name}, {split}', note, study.arms, score(split, key))
      for split in study.splits for key, name in MEASURES.items()
  ) + '</div>'
