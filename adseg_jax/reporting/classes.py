"""Scores per class and the confusion matrix, as HTML."""

from html import escape

from adseg_jax.reporting import plots
from adseg_jax.reporting.arms import Study, class_score, score
from adseg_jax.reporting.numbers import NONE, difference, interval, spread
from adseg_jax.reporting.pictures import swatch
from adseg_jax.reporting.tables import row, table

# From this share of a row on, a cell's number is written in the paper's colour.
_STRONG = 0.55
_WEAK = 0.005  # below this share it is written faint


def _pixels(study, split):
  """Share of every class among the pixels that are scored."""
  one = next(
      run.on(split) for arm in study.arms for run in arm.runs.values()
      if run.on(split)
  )
  counts = [each['pixels'] for each in one['classes']]
  total = sum(counts)
  return [f'{count / total:.1%}' if total else NONE for count in counts]


def _comparison(study, measure):
  """IoU of every arm; of every rival the difference and its interval."""
  cells = [spread(arm.summary(measure)) for arm in study.arms]
  for arm in study.rivals:
    found = study.difference(arm, measure)
    cells += [difference(found.mean)]
    cells += [interval(found)] * study.has_seeds
  return cells


def _head(study):
  head = ['class', 'pixels']
  head += [f'IoU, {escape(arm.label)}' for arm in study.arms]
  for arm in study.rivals:
    of = f', {escape(arm.short)}' if len(study.rivals) > 1 else ''
    head += [f'difference{of}'] + ['95 % interval'] * study.has_seeds
  return head


def _compared(study, split, names):
  rows = [
      row([name, share, *_comparison(study, class_score(split, place))])
      for place, (name, share) in enumerate(
          zip(names, _pixels(study, split), strict=True)
      )
  ]
  foot = row(['mean', '', *_comparison(study, score(split, 'mean_iou'))])
  return table(_head(study), rows, foot=foot)


def _alone(study, split, names):
  """The one arm's IoU, accuracy and precision."""
  arm = study.main
  rows = [
      row([
          name, *(
              spread(arm.summary(class_score(split, place, key)))
              for key in ('iou', 'accuracy', 'precision')
          ), share,
      ])
      for place, (name, share) in enumerate(
          zip(names, _pixels(study, split), strict=True)
      )
  ]
  foot = row([
      'mean', *(
          spread(arm.summary(score(split, key)))
          for key in ('mean_iou', 'class_accuracy')
      ), '', '',
  ])
  return table(['class', 'IoU', 'accuracy', 'precision', 'pixels'], rows,
               foot=foot)


def _changes(study, split, classes):
  """The plot of every class's difference."""
  rows = [
      (name, study.difference(arm, class_score(split, place)), arm.colour)
      for place, name in enumerate(classes) for arm in study.rivals
  ]
  rivals = {arm.label: arm.colour for arm in study.rivals}
  return plots.intervals(
      f'Difference of IoU, {split}',
      f'Minus {study.reference.label}, per class: a small dot is a seed, a '
      'large one the mean, a line its 95 % interval where seeds suffice.',
      rows, rivals if len(rivals) > 1 else {},
  )


def scores(study: Study) -> str:
  """A table per split with a row per class, and a plot of differences."""
  dataset = study.main.first.dataset
  names = [
      swatch(colour) + escape(name) for name, colour in zip(
          dataset['classes'], dataset['palette'], strict=True
      )
  ]
  parts, changes = [], []
  for split in study.splits:
    if len(study.splits) > 1:
      parts.append(f'<h3>{escape(split)}</h3>')
    if study.reference:
      parts.append(_compared(study, split, names))
      changes.append(_changes(study, split, dataset['classes']))
    else:
      parts.append(_alone(study, split, names))
  if study.reference:
    one = ' one' if len(changes) == 1 else ''
    parts.append(f'<div class="charts{one}">{"".join(changes)}</div>')
  if study.reference and study.has_seeds:
    parts.append(
        '<p class="faint">There are as many intervals as classes: some miss '
        'their true value by chance.</p>'
    )
  return ''.join(parts)


def _cell(count, total, title):
  if not total:
    return f'<td>{NONE}</td>'
  share = count / total
  style = 'strong' if share > _STRONG else 'weak' if share < _WEAK else ''
  return (
      f'<td class="{style}" style="--share:{share:.3f}" '
      f'title="{title}: {count:,} pixels">{round(100 * share)}</td>'
  )


def confusion(study: Study) -> str:
  """The main arm's confusion matrices as percentages of true classes' pixels.

  Over several seeds the counts are added.
  """
  arm = study.main
  classes = [escape(name) for name in arm.first.dataset['classes']]
  head = ['', *(f'<span>{name}</span>' for name in classes)]
  seeds = f', {len(arm.runs)} seeds together' if len(arm.runs) > 1 else ''
  parts = []
  for split in study.splits:
    found = [run.on(split)['confusion'] for run in arm.runs.values()
             if run.on(split)]
    if not found:
      continue
    counts = [
        [sum(cells) for cells in zip(*rows, strict=True)]
        for rows in zip(*found, strict=True)
    ]
    rows = [
        f'<tr><th scope="row">{name}</th>' + ''.join(
            _cell(count, sum(line), f'{name} as {guess}')
            for guess, count in zip(classes, line, strict=True)
        ) + '</tr>'
        for name, line in zip(classes, counts, strict=True)
    ]
    parts.append(
        f'<p>{escape(f"{arm.label}{seeds}, {split}")}: of the pixels of a '
        'class (row), the percentage that was predicted as each class '
        '(column).</p>'
        + table(head, rows, style='heat')
    )
  return ''.join(parts)
