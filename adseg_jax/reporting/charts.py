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


# Title, note, (metric, label, colour) of each line, range and dotted line.
_ADVERSARY = (
    ('Adversarial losses',
     'A discriminator whose loss stays near 0 has won: the segmentor learns '
     'nothing from it.',
     (('adversarial_loss', 'segmentor', 2),
      ('discriminator_loss', 'discriminator', 3)), None, None),
    ('What the discriminator believes',
     'Mean probability that it calls a map real; at 0.5 (dotted) it can not '
     'tell.',
     (('d_real', 'D(real)', 2), ('d_fake', 'D(fake)', 3)), (0, 1), 0.5),
    ('How often the discriminator is right',
     'Share of the real and of the predicted maps that it tells rightly; at '
     '0.5 (dotted) it guesses.',
     (('d_real_accuracy', 'real', 2), ('d_fake_accuracy', 'predicted', 3)),
     (0, 1), 0.5),
    ('How hard the adversary pulls',
     'Norm of the adversarial gradient, λ included, over that of the '
     'cross-entropy, at the segmentor\'s logits.',
     (('gradient_ratio', 'ratio', 2),), None, None),
)


def adversary(study: Study, bands: list[Band] = ()) -> str:
  """Curves of both sides' losses and of what the discriminator believes.

  Empty where no arm has an adversary; a chart that no run has a metric for is
  left out.

  Args:
    study: what the report is about.
    bands: stretches of steps to mark in these curves.
  """
  rivals = [arm for arm in study.arms if arm.weight]
  drawn = []
  for title, note, kinds, limits, rule in _ADVERSARY:
    lines = [
        Series(
            label if len(rivals) == 1 else f'{label}, {arm.label}',
            points, colour, dash, spread,
        )
        for dash, arm in enumerate(rivals) for key, label, colour in kinds
        for points, spread in [over_seeds(arm, key)] if points
    ]
    if lines:
      drawn.append(
          chart(title, note + _spread(study), lines, limits, rule, bands)
      )
  return f'<div class="charts">{"".join(drawn)}</div>' if drawn else ''


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
