import csv
import io
import json

import pytest
from fake_run import write_table

from adseg_jax.evaluation.measures import OUTLINES
from adseg_jax.reporting import outlines
from adseg_jax.reporting.arms import study
from adseg_jax.reporting.report import write_report
from adseg_jax.reporting.runs import read_runs
from adseg_jax.reporting.sheets import table_csv


@pytest.fixture
def folders(tmp_path):
  """Runs whose distance is 10 x lambda + seed; other measures are null."""
  found = write_table(tmp_path / 'table', test=True)
  for folder in found:
    about = json.loads((folder / 'experiment.json').read_text())['experiment']
    path = folder / 'scores_test.json'
    content = json.loads(path.read_text())
    content |= dict.fromkeys(f'mean_{key}' for key in OUTLINES)
    content['mean_hausdorff_95'] = (
        10 * about['adversary']['weight'] + about['seed'] ** 2
    )
    path.write_text(json.dumps(content))
  return found


def test_what_the_runs_have_is_compared(folders):
  table = outlines.table(study(read_runs(folders)))
  (row,) = table.rows
  assert row.cells == [
      '95 % Hausdorff distance, pixels', 'test', '1.667 ± 2.082',
      '2.667 ± 2.082', '+1.000', '+1.000 to +1.000',
  ]
  assert len(table.head) == len(row.cells)


def test_csv_and_pages_have_them(folders, tmp_path):
  rows = list(csv.DictReader(io.StringIO(table_csv(study(read_runs(folders))))))
  (one,) = [
      row for row in rows
      if row['measure'] == 'hausdorff_95' and row['arm'].endswith('0.1')
  ]
  assert float(one['difference']) == 1 and one['split'] == 'test'
  page = write_report(folders, tmp_path / 'report.html')
  for text in (page.read_text(), page.with_suffix('.md').read_text()):
    assert '95 % Hausdorff distance, pixels' in text
    assert 'spurious' in text  # in the note, not in a row
    assert 'missing holes' not in text


def test_older_runs_have_none(tmp_path):
  folders = write_table(tmp_path / 'table')
  assert not outlines.table(study(read_runs(folders))).rows
  page = write_report(folders, tmp_path / 'report.html')
  assert 'Outlines' not in page.read_text()
