import io
import json

import pytest
from PIL import Image
from rich.console import Console

from adseg_jax.errors import UserError
from adseg_jax.reporting import report, runs


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


def test_the_terminal_table(pair):
  out = io.StringIO()
  Console(file=out, width=80).print(report.table(pair))
  rows = [line.split() for line in out.getvalue().splitlines()]
  assert rows[1:] == [
      ['<Toy>', '0.1', '4', '0.542', '0.875', '0.875', '1', 'min', '15', 's'],
      ['<Toy>', '0', '4', '0.457', '0.795', '0.808', '1', 'min', '15', 's'],
  ]


@pytest.mark.parametrize('key', ['palette', 'classes'])
def test_a_data_set_of_another_size_is_refused(key, pair, tmp_path):
  about = json.loads((pair[0] / 'experiment.json').read_text())
  about['dataset'][key].pop()
  (pair[0] / 'experiment.json').write_text(json.dumps(about))
  with pytest.raises(UserError, match=key):
    report.table(pair[:1])


def test_the_control_is_what_the_first_run_is_compared_with(new_run):
  read = runs.read_runs([
      new_run('a'), new_run('b', weight=0.5), new_run('c', weight=0.0)
  ])
  assert runs.baseline(read) == 2
  assert runs.baseline(read[:2]) == 1
  assert runs.baseline(read[:1]) is None


def test_labels_tell_runs_apart(new_run):
  read = runs.read_runs([
      new_run('a'), new_run('b', weight=0.0), new_run('c', seed=1),
      new_run('d'),
  ])
  assert [label.replace('\xa0', ' ') for label in runs.labels(read[:2])] == [
      'λ = 0.1', 'λ = 0 (control)'
  ]
  assert runs.labels(read[:3])[2].endswith(', seed 1')
  assert runs.labels(read) == [str(run.folder) for run in read]
