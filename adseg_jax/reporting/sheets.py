"""The tables of a report as Markdown and as CSV."""

import csv
import io
import math

from adseg_jax.reporting import tables
from adseg_jax.reporting.arms import Study, class_score, score
from adseg_jax.reporting.runs import MEASURES
from adseg_jax.reporting.verdicts import cautions, sentences


def _lines(table):
  """A Markdown table; a bar in a cell would end it."""
  def line(cells):
    return '| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |'

  return [
      line(table.head), '|' + '---|' * len(table.head),
      *(line(row.cells) for row in table.rows), '',
      *([table.note, ''] if table.note else []),
  ]


def markdown(study: Study) -> str:
  """Arms, differences and runs as Markdown tables, with what they show."""
  words = [f'- {text}' for text in (*sentences(study), *cautions(study))]
  compared = tables.differences(study)
  return '\n'.join([
      *_lines(tables.arms(study)), *(_lines(compared) if compared.rows else []),
      *words, *([''] if words else []), *_lines(tables.every_run(study)),
  ])


def _number(value):
  return '' if math.isnan(value) else repr(value)


def _measures(study):
  """(split, name, measure) of all that has a row in the CSV."""
  for split in study.splits:
    for key in MEASURES:
      yield split, key, score(split, key)
    for place, name in enumerate(study.main.first.dataset['classes']):
      yield split, f'iou {name}', class_score(split, place)
  yield '', 'images_per_second', lambda run: run.pace()
  yield '', 'seconds', lambda run: run.seconds


def table_csv(study: Study) -> str:
  """A row per split, measure and arm: means, differences, every seed's value.

  Numbers are written in full; a cell is empty where there is none.
  """
  seeds = sorted({seed for arm in study.arms for seed in arm.runs})
  out = io.StringIO()
  sheet = csv.writer(out, lineterminator='\n')
  sheet.writerow([
      'split', 'measure', 'arm', 'seeds', 'mean', 'standard_deviation',
      'compared_with', 'common_seeds', 'difference', 'interval_low',
      'interval_high', *(f'seed_{seed}' for seed in seeds),
  ])
  for split, name, measure in _measures(study):
    for arm in study.arms:
      values, found = arm.by_seed(measure), arm.summary(measure)
      compared = [''] * 5
      if arm in study.rivals:
        change = study.difference(arm, measure)
        compared = [
            study.reference.name, len(change.seeds),
            *map(_number, (change.mean, change.low, change.high)),
        ]
      sheet.writerow([
          split, name, arm.name, found.count, _number(found.mean),
          _number(found.deviation), *compared,
          *(_number(values.get(seed, math.nan)) for seed in seeds),
      ])
  return out.getvalue()
