"""The charts of a report: means over the seeds of each arm, with their spread.
"""

import math

from adseg_jax.reporting import plots
from adseg_jax.reporting.arms import Arm, Study, class_score, score
from adseg_jax.reporting.curves import Band, Series, curves
from adseg_jax.reporting.runs import MEASURES
from adseg_jax.reporting.statistics import summarize
from adseg_jax.reporting.vega import Chart


def over_seeds(
    arm: Arm, key: str, kind: str = 'train'
) -> list[tuple[float, float, float, float]]:
  """(step, mean, mean - deviation, mean + deviation) of a metric over seeds.

  A step counts the runs that have a number there; with fewer than two the
  deviation is nan. The kind is 'train' or 'validation'.
  """
  steps = {}
  for run in arm.runs.values():
    for step, value in run.curve(key, kind):
      steps.setdefault(step, []).append(math.nan if value is None else value)
  found = {step: summarize(values) for step, values in sorted(steps.items())}
  return [
      (step, one.mean, one.mean - one.deviation, one.mean + one.deviation)
      for step, one in found.items()
  ]


def _spread(study):
  if not study.has_seeds:
    return ''
  return ' Line and area: mean and standard deviation of the seeds.'


def _by_arm(study, key, kind):
  return [
      Series(arm.label, over_seeds(arm, key, kind), arm.colour)
      for arm in study.arms
  ]


def learning(study: Study) -> list[Chart]:
  """Curves of validation mean IoU and of the segmentation loss."""
  reduced = {'sum': 'sum over the pixels of an image'}.get(
      study.main.first.settings.get('adversary.reduction'), 'mean over pixels'
  )
  return [
      curves(
          'Validation mean IoU',
          'Every validation image, at its own size.' + _spread(study),
          _by_arm(study, 'mean_iou', 'validation'),
      ),
      curves(
          'Segmentation loss',
          f'Cross-entropy on training crops, {reduced}.' + _spread(study),
          _by_arm(study, 'segmentation_loss', 'train'),
      ),
  ]


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


def adversary(study: Study, bands: list[Band] = ()) -> list[Chart]:
  """Curves of both sides' losses and of what the discriminator believes.

  Empty where no arm has an adversary; a chart that no run has a metric for is
  left out. The bands are marked in all.
  """
  rivals = [arm for arm in study.arms if arm.weight]
  drawn = []
  for title, note, kinds, limits, rule in _ADVERSARY:
    lines = [
        Series(
            label if len(rivals) == 1 else f'{label}, {arm.label}',
            points, colour, dash,
        )
        for dash, arm in enumerate(rivals) for key, label, colour in kinds
        if (points := over_seeds(arm, key))
    ]
    if lines:
      drawn.append(
          curves(title, note + _spread(study), lines, limits, rule, bands)
      )
  return drawn


def _columns(study, measure):
  for arm in study.arms:
    values = arm.by_seed(measure)
    values = {
        seed: value for seed, value in values.items() if not math.isnan(value)
    }
    if values:
      middle = arm.summary(measure).mean
      yield plots.Column(arm.short or arm.name, arm.colour, values, middle)


def measures(study: Study) -> list[Chart]:
  """A plot per measure and split with a dot per seed; empty for one seed."""
  if not study.has_seeds:
    return []
  note = 'A dot is a seed, a bar the mean.'
  if study.reference:
    note += ' Lines join the dots of one seed.'
  return [
      plots.dots(
          f'{name}, {split}', note, list(_columns(study, score(split, key))),
          joined=bool(study.reference),
      )
      for split in study.splits for key, name in MEASURES.items()
  ]


def changes(study: Study) -> list[Chart]:
  """A plot per split of every class's difference; empty for one arm."""
  classes = study.main.first.dataset['classes']
  rivals = {arm.label: arm.colour for arm in study.rivals}
  return [
      plots.intervals(
          f'Difference of IoU, {split}',
          f'Minus {study.reference.label}, per class: a small dot is a seed, a '
          'large one the mean, a line its 95 % interval where seeds suffice.',
          [
              (name, arm.label,
               study.difference(arm, class_score(split, place)))
              for place, name in enumerate(classes) for arm in study.rivals
          ], rivals,
      )
      for split in study.splits if study.rivals
  ]


def confusion(study: Study) -> list[Chart]:
  """The main arm's confusion matrix on every split.

  Over several seeds the counts are added.
  """
  arm = study.main
  seeds = f', {len(arm.runs)} seeds together' if len(arm.runs) > 1 else ''
  drawn = []
  for split in study.splits:
    found = [scores['confusion'] for scores in arm.by_seed(
        lambda run, split=split: run.on(split)
    ).values()]
    if found:
      counts = [
          [sum(cells) for cells in zip(*rows, strict=True)]
          for rows in zip(*found, strict=True)
      ]
      drawn.append(plots.confusion(
          f'Confusion, {split}',
          f'{arm.label}{seeds}: of the pixels of a class (row), the '
          'percentage that was predicted as each class (column).',
          arm.first.dataset['classes'], counts,
      ))
  return drawn
