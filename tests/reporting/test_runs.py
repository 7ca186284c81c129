import io
import json

import pytest
from fake_run import CONFUSION
from PIL import Image
from rich.console import Console

from adseg_jax.errors import UserError
from adseg_jax.reporting import report, runs, tables
from adseg_jax.reporting.arms import study


@pytest.mark.parametrize('name', [
    'scores.json', 'experiment.json', 'metrics.jsonl', 'panels/one_truth.png',
    'panels/one_prediction.png',
])
def test_a_run_that_lacks_a_file_is_refused(name, pair, tmp_path):
  output = report.write_report(pair, tmp_path / 'report.html')
  before = output.read_bytes()
  (pair[0] / name).unlink()
  with pytest.raises(UserError, match=name) as error:
    report.write_report(pair, output)
  assert '\n' not in str(error.value)
  assert output.read_bytes() == before


@pytest.mark.parametrize('name, text', [
    ('scores.json', '{"step": 4'), ('scores.json', '[]'),
    ('scores.json', '{"step": 4, "classes": [], "confusion": []}'),
    ('experiment.json', '{}'), ('experiment.json', '{"experiment": null}'),
    ('metrics.jsonl', '{"step": 1}\n'), ('metrics.jsonl', 'none\n'),
])
def test_a_damaged_run_is_refused(name, text, pair, tmp_path):
  (pair[1] / name).write_text(text)
  with pytest.raises(UserError, match=str(pair[1])) as error:
    report.write_report(pair, tmp_path / 'report.html')
  assert '\n' not in str(error.value)


def test_runs_on_other_classes_are_refused(pair, tmp_path):
  about = json.loads((pair[1] / 'experiment.json').read_text())
  about['dataset'] |= {'name': 'other', 'classes': ['a', 'b', 'c']}
  (pair[1] / 'experiment.json').write_text(json.dumps(about))
  with pytest.raises(UserError, match='run on other'):
    report.write_report(pair, tmp_path / 'report.html')
  with pytest.raises(UserError, match='no run was named'):
    report.write_report([], tmp_path / 'report.html')


def test_a_coloured_picture_is_no_label_map(pair, tmp_path):
  path = pair[0] / 'panels' / 'one_truth.png'
  Image.new('RGB', (8, 6)).save(path)
  with pytest.raises(UserError, match='mode RGB'):
    report.write_report(pair, tmp_path / 'report.html')


def _shown(folders):
  out = io.StringIO()
  Console(file=out, width=80).print(report.table(folders))
  return out.getvalue().splitlines()


def test_the_terminal_table(pair):
  rows = [line.split() for line in _shown(pair)]
  time = ['1', 'min', '15', 's']
  assert rows[1:3] == [
      ['<Toy>', '0.1', 'validation', '0.542', '0.875', '0.875', *time],
      ['<Toy>', '0', 'validation', '0.457', '0.795', '0.808', *time],
  ]
  assert rows[3][:4] == ['mean', 'IoU,', 'validation,', 'adversary.weight']


def test_the_terminal_table_has_the_test_split(new_run):
  test = CONFUSION.copy()
  test[0] = 0, 100, 0
  lines = _shown([new_run('a', test=test)])
  rows = [line.split()[2:6] for line in lines[1:]]
  # By hand: IoU 0 / 105 and 95 / 200; accuracy 0 / 100 and 95 / 100.
  assert rows == [
      ['validation', '0.542', '0.875', '0.875'],
      ['test', '0.237', '0.475', '0.475'],
  ]


def test_the_terminal_table_over_seeds_fits_80_columns(folders):
  lines = _shown(folders)
  assert lines[0].split()[0] == 'adversary.weight'
  assert [line.split()[:3] for line in lines[1:5]] == [
      ['0', 'validation', '3'], ['0.1', 'validation', '3'],
      ['0', 'test', '3'], ['0.1', 'test', '3'],
  ]
  assert all(line.count('±') == 3 for line in lines[1:5])


def test_the_terminal_table_names_lettered_arms(folders, new_run):
  lines = _shown([*folders, new_run('c', encoding='product')])
  assert [line.split()[0] for line in lines[1:4]] == ['A', 'B', 'C']
  assert any(
      line.startswith('C: adversary.encoding product') for line in lines
  )


@pytest.mark.parametrize('key', ['palette', 'classes'])
def test_a_data_set_of_another_size_is_refused(key, pair, tmp_path):
  about = json.loads((pair[0] / 'experiment.json').read_text())
  about['dataset'][key].pop()
  (pair[0] / 'experiment.json').write_text(json.dumps(about))
  with pytest.raises(UserError, match=key):
    report.table(pair[:1])


@pytest.mark.parametrize('text', ['{', '{}', '[]', 'null'])
def test_damaged_test_scores_are_refused(text, pair):
  (pair[0] / 'scores_test.json').write_text(text)
  with pytest.raises(UserError, match=str(pair[0])) as error:
    report.table(pair)
  assert '\n' not in str(error.value)


def test_a_run_that_was_amended_elsewhere_says_so(pair, tmp_path):
  path = pair[1] / 'experiment.json'
  about = json.loads(path.read_text())
  first = {key: about[key] for key in (
      'versions', 'commit', 'devices', 'command'
  )}
  about['starts'] = [first, first | {
      'step': 2, 'devices': '8 x tpu', 'command': 'toy.py --amend',
      'changed': {'optimizer.steps': [2, 4]},
  }]
  path.write_text(json.dumps(about))
  page = report.write_report(pair, tmp_path / 'report.html').read_text()
  assert 'from step 2 on: optimizer.steps 4 (was 2)' in page
  assert '<pre>toy.py --amend</pre>' in page
  assert 'Not all runs were made with the same devices' in page
  assert '8 x tpu; commit abc1234' in page


def test_an_older_run_had_the_default_of_a_later_setting(new_run):
  folder = new_run('run')
  path = folder / 'experiment.json'
  about = json.loads(path.read_text())
  whole = runs.read_run(folder).settings
  del about['experiment']['data']['class_weights']
  path.write_text(json.dumps(about))
  assert runs.read_run(folder).settings == whole


def test_class_weights_are_among_the_settings(new_run):
  folder = new_run('run', data={'class_weights': ('"road"=2', '[b]=1')})
  changed, _ = tables.settings(study(runs.read_runs([folder])))
  assert ['data.class_weights', '["\\"road\\"=2", "[b]=1"]', '[]'] in [
      row.cells for row in changed.rows
  ]
