"""The charts of a report: means over the runs of each arm, with their spread.
"""

import math

import numpy as np

from adseg_jax.evaluation.statistics import summarize
from adseg_jax.reporting import health, plots
from adseg_jax.reporting.arms import Arm, Study, score
from adseg_jax.reporting.curves import Series, curves
from adseg_jax.reporting.runs import MEASURES
from adseg_jax.reporting.vega import Chart


def drawn(study: Study) -> dict[str, list[Chart]]:
  """The charts of each section of a report."""
  return {
      'seeds': measures(study), 'curves': learning(study),
      'adversary': adversary(study), 'changes': changes(study),
      'confusion': confusion(study),
  }


def over_seeds(
    arm: Arm, key: str, kind: str = 'train'
) -> list[tuple[float, float, float, float]]:
  """(step, mean, mean - deviation, mean + deviation) of a metric over runs.

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
  return ' Line and area: mean and standard deviation of the runs.'


def learning(study: Study) -> list[Chart]:
  """Curves of validation mean IoU and of the segmentation loss."""
  reduced = {'sum': 'sum over the pixels of an image'}.get(
      study.main.first.settings['adversary.reduction'], 'mean over pixels'
  )
  return [
      curves(title, note + _spread(study), [
          Series(arm.label, over_seeds(arm, key, kind), arm.colour)
          for arm in study.arms
      ]) for title, note, key, kind in (
          ('Validation mean IoU', 'Every validation image, at its own size.',
           'mean_iou', 'validation'),
          ('Segmentation loss', f'Cross-entropy on training crops, {reduced}.',
           'segmentation_loss', 'train'),
      )
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
    ('λ', 'What --adversary.pull made of it, so that the adversary has its '
     'share.', (('lambda', 'λ', 2),), None, None),
)


def adversary(study: Study) -> list[Chart]:
  """Curves of both sides' losses and of what the discriminator believes.

  Empty where no arm has an adversary; a chart that no run has a metric for is
  left out. Steps in which an adversary was not healthy are marked.
  """
  rivals = [arm for arm in study.arms if arm.weight]
  found = []
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
      found.append(curves(
          title, note + _spread(study), lines, limits, rule,
          health.bands(study),
      ))
  return found


def measures(study: Study) -> list[Chart]:
  """A plot per measure and split with a dot per run; empty for one seed."""
  if not study.has_seeds:
    return []
  note = 'A dot is a run, a bar the mean.'
  if study.reference:
    note += ' Lines join the dots of a pair.'
  return [
      plots.dots(f'{name}, {split}', note, [
          plots.Column(arm.short or arm.name, arm.colour, values,
                       summarize(values.values()).mean)
          for arm in study.arms if (values := arm.values(score(split, key)))
      ], joined=bool(study.reference))
      for split in study.splits for key, name in MEASURES.items()
  ]


def changes(study: Study) -> list[Chart]:
  """A plot per split of every class's difference; empty for one arm."""
  classes = study.main.first.dataset['classes']
  rivals = {arm.label: arm.colour for arm in study.rivals}
  return [
      plots.intervals(
          f'Difference of IoU, {split}',
          f'Minus {study.reference.label}, per class: a small dot is a pair, a '
          'large one the mean, a line its 95 % interval where pairs suffice.',
          [
              (name, arm.label,
               study.difference(arm, score(split, 'iou', place)))
              for place, name in enumerate(classes) for arm in study.rivals
          ], rivals,
      )
      for split in study.splits if study.rivals
  ]


def confusion(study: Study) -> list[Chart]:
  """The main arm's confusion matrix on every split, added over the runs."""
  arm = study.main
  together = f', {len(arm.runs)} runs together' if len(arm.runs) > 1 else ''
  counts = {
      split: [*arm.values(score(split, 'confusion')).values()]
      for split in study.splits
  }
  return [
      plots.confusion(
          f'Confusion, {split}',
          f'{arm.label}{together}: of the pixels of a class (row), the '
          'percentage that was predicted as each class (column).',
          arm.first.dataset['classes'], np.sum(found, 0).tolist(),
      ) for split, found in counts.items() if found
  ]
