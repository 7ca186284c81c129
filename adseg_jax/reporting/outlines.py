"""Measures of outlines, components and holes, of the runs that have them."""

from collections.abc import Callable, Iterator

from adseg_jax.evaluation.measures import OUTLINES
from adseg_jax.reporting.arms import Study
from adseg_jax.reporting.numbers import difference, interval, spread
from adseg_jax.reporting.tables import Row, Table


def measures(study: Study) -> Iterator[tuple[str, str, Callable]]:
  """(split, key, measure) of what the runs have; older ones have none."""
  for split in study.splits:
    for key in OUTLINES:
      measure = _mean(split, f'mean_{key}')
      if any(arm.summary(measure).count for arm in study.arms):
        yield split, key, measure


def _mean(split: str, key: str):
  return lambda run: (run.on(split) or {}).get(key)


def table(study: Study) -> Table:
  """A row per split and measure: every arm's, every rival's difference."""
  head = ['measure', 'split', *(arm.label for arm in study.arms)]
  for arm in study.rivals:
    of = f', {arm.short}' if len(study.rivals) > 1 else ''
    head += [f'difference{of}', '95 % interval']
  rows = []
  for split, key, measure in measures(study):
    cells = [spread(arm.summary(measure)) for arm in study.arms]
    for arm in study.rivals:
      found = study.difference(arm, measure)
      cells += [difference(found.mean), interval(found)]
    rows.append(Row([OUTLINES[key], split, *cells]))
  return Table(
      head, rows, 'Means over images of the mean over their classes; of '
      'boundary IoU, over the classes. Of a distance, and of what is spurious '
      'or missing, less is better.',
  )
