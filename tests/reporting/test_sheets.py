import csv
import io
import math

import numpy as np
import pytest
from fake_run import CLASSES, confusion_of
from scipy import stats

from adseg_jax.evaluation import metrics
from adseg_jax.reporting import sheets
from adseg_jax.reporting.arms import study
from adseg_jax.reporting.runs import read_runs


def _rows(folders):
  text = sheets.table_csv(study(read_runs(folders)))
  return list(csv.DictReader(io.StringIO(text)))


def _row(rows, **wanted):
  (found,) = [
      row for row in rows if all(row[key] == wanted[key] for key in wanted)
  ]
  return found


@pytest.mark.parametrize('split,shift', [('validation', 0), ('test', 50)])
def test_the_csv_equals_numpy_and_scipy(folders, split, shift):
  rows = _rows(folders)
  values = {
      weight: [
          metrics.scores(confusion_of(weight, seed + shift)).mean_iou
          for seed in range(3)
      ] for weight in (0.0, 0.1)
  }
  row = _row(rows, split=split, measure='mean_iou', arm='adversary.weight 0.1')
  expected = stats.ttest_rel(values[0.1], values[0.0]).confidence_interval()
  for name, value in {
      'mean': np.mean(values[0.1]),
      'standard_deviation': np.std(values[0.1], ddof=1),
      'difference': np.mean(values[0.1]) - np.mean(values[0.0]),
      'interval_low': expected.low, 'interval_high': expected.high,
      'seed_0': values[0.1][0], 'seed_2': values[0.1][2],
  }.items():
    assert float(row[name]) == pytest.approx(value, rel=1e-9), name
  assert row['compared_with'] == 'adversary.weight 0'
  assert (row['runs'], row['pairs']) == ('3', '3')


def test_every_class_has_a_row(folders):
  rows = _rows(folders)
  found = _row(
      rows, split='test', measure=f'iou {CLASSES[1]}',
      arm='adversary.weight 0',
  )
  iou = metrics.scores(confusion_of(0.0, 51)).iou[1]
  assert float(found['seed_1']) == pytest.approx(iou)
  assert found['difference'] == '' and found['compared_with'] == ''
  # Two splits of three means and three classes, two costs; two arms each.
  assert len(rows) == 2 * (2 * (3 + 3) + 2)
  pace = _row(rows, measure='images_per_second', arm='adversary.weight 0')
  assert float(pace['mean']) == 12.5


def test_one_seed_has_no_deviation_and_no_interval(pair):
  row = _row(_rows(pair), measure='mean_iou', arm='adversary.weight 0.1')
  assert row['standard_deviation'] == row['interval_low'] == ''
  assert float(row['difference']) == pytest.approx(0.0849, abs=1e-4)
  assert not math.isnan(float(row['mean']))


def test_markdown_tables_have_as_many_cells_as_heads(folders):
  text = sheets.markdown(study(read_runs(folders)))
  blocks = [block.splitlines() for block in text.split('\n\n')]
  tables = [block for block in blocks if block[0].startswith('|')]
  assert len(tables) == 4
  for table in tables:
    assert len({line.count('|') for line in table}) == 1
    assert set(table[1]) <= set('|-')
  assert len(tables[3]) == 2 + 6 * 2  # six runs, two splits
  assert '- mean IoU, validation, adversary.weight 0.1 against 0: ' in text


def test_a_bar_does_not_end_a_cell(new_run):
  found = study(read_runs([
      new_run('a', encoding='basic', weight=0.5),
      new_run('b', encoding='a|b', weight=0.5),
  ]))
  assert 'adversary.encoding a\\|b |' in sheets.markdown(found)


def test_every_fold_and_seed_has_a_column(new_run):
  rows = _rows([
      new_run(f'{weight}{fold}', weight=weight, seed=7, data={'fold': fold})
      for weight in (0.0, 0.1) for fold in range(2)
  ])
  assert {'fold_0_seed_7', 'fold_1_seed_7'} <= rows[0].keys()
  row = _row(rows, measure='mean_iou', arm='adversary.weight 0.1')
  assert (row['pairs'], row['p_t']) == ('2', '1.0')
  assert float(row['p_equivalence']) == float(row['deviation_of_pairs']) == 0
