"""The tables of a report as Markdown and as CSV."""

import csv
import io

from adseg_jax.evaluation import evidence
from adseg_jax.reporting import outlines, tables
from adseg_jax.reporting.arms import Study, score
from adseg_jax.reporting.runs import MEASURES
from adseg_jax.reporting.tables import Table
from adseg_jax.reporting.verdicts import cautions, sentences


def _line(cells):
  """Of a Markdown table; a bar in a cell would end it."""
  return '| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |'


def lines(table: Table) -> list[str]:
  """A table as lines of Markdown; none where it has no row."""
  if not table.rows:
    return []
  return [
      _line(table.head), '|' + '---|' * len(table.head),
      *(_line(row.cells) for row in table.rows), '',
      *([table.note, ''] if table.note else []),
  ]


def markdown(study: Study) -> str:
  """Arms, differences and runs as Markdown tables, with what they show."""
  words = [f'- {text}' for text in (*sentences(study), *cautions(study))]
  return '\n'.join([
      *lines(tables.arms(study)), *lines(tables.differences(study)),
      *lines(tables.weighed(study)), *lines(outlines.table(study)),
      *words, *([''] if words else []), *lines(tables.every_run(study)),
  ])


def _measures(study):
  """(split, name, measure) of all that has a row in the CSV."""
  for split in study.splits:
    for key in MEASURES:
      yield split, key, score(split, key)
    for place, name in enumerate(study.main.first.dataset['classes']):
      yield split, f'iou {name}', score(split, 'iou', place)
  yield from outlines.measures(study)
  yield '', 'images_per_second', lambda run: run.pace()
  yield '', 'seconds', lambda run: run.seconds


def _cells(study, arm, measure):
  """Of a measure; numbers are written in full."""
  found = arm.summary(measure)
  cells = {'arm': arm.name, 'runs': found.count, 'mean': found.mean,
           'standard_deviation': found.deviation}
  if arm not in study.rivals:
    return cells
  change = study.difference(arm, measure)
  cells |= {
      'compared_with': study.reference.name, 'pairs': len(change.pairs),
      'difference': change.mean, 'interval_low': change.low,
      'interval_high': change.high,
  }
  shown = evidence.weigh(change.values)
  return cells | (shown._asdict() if shown else {})


def table_csv(study: Study) -> str:
  """A row per split, measure and arm: means, differences, every run's value.

  A cell is empty where there is no number.
  """
  rows, runs = [], []
  for split, name, measure in _measures(study):
    for arm in study.arms:
      start = {'split': split, 'measure': name}
      rows.append(start | _cells(study, arm, measure))
      runs.append({
          run.replace(', ', '_').replace(' ', '_'): value
          for run, value in arm.values(measure).items()
      })
  head = dict.fromkeys(key for row in (*rows, *runs) for key in row)
  out = io.StringIO()
  sheet = csv.DictWriter(out, head, lineterminator='\n')
  sheet.writeheader()
  for row, values in zip(rows, runs, strict=True):
    sheet.writerow({
        key: value for key, value in (row | values).items() if value == value
    })
  return out.getvalue()
