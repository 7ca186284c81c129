"""Workdirs on gs://, with a folder in the place of the bucket.

What Orbax and TensorFlow write there through libraries of their own is not
tried here: checkpoints and TensorBoard files.
"""

import dataclasses
import json

import numpy as np
import pytest
from etils import epath
from etils.epath import backend, gpath
from fake_run import write_run

from adseg_jax.config import Experiment, Optimizer
from adseg_jax.data.dataset import find
from adseg_jax.evaluation.gallery import write_label
from adseg_jax.reporting.report import write_report
from adseg_jax.training import record, run, writer
from adseg_jax.training.splits import Split


class Bucket:
  """Every operation on gs://bucket/..., done in a folder."""

  def __init__(self, folder):
    self.folder = str(folder)

  def __getattr__(self, name):
    operation = getattr(backend.os_backend, name)

    def redirected(*arguments, **options):
      found = operation(*(
          self.folder + argument.removeprefix('gs://bucket')
          if isinstance(argument, str) and argument.startswith('gs://')
          else argument for argument in arguments
      ), **options)
      if name == 'glob':
        return [one.replace(self.folder, 'gs://bucket') for one in found]
      return found

    return redirected


@pytest.fixture
def bucket(tmp_path, monkeypatch):
  folder = tmp_path / 'bucket'
  folder.mkdir()
  real = gpath._GPath._backend
  monkeypatch.setattr(gpath._GPath, '_backend', property(
      lambda path: Bucket(folder) if path._uri_scheme else real.fget(path)
  ))
  monkeypatch.chdir(tmp_path)
  yield folder
  # Nothing took the URL for a path.
  assert [path.name for path in tmp_path.iterdir()] == ['bucket']


def test_a_run_writes_there(bucket, monkeypatch):
  class NoEvents:
    def __init__(self, folder, start):
      assert str(folder) == 'gs://bucket/run/tensorboard'

    def scalars(self, step, values):
      assert 'train/a' in values

    def close(self):
      closed.append(1)

  closed = []
  monkeypatch.setattr(writer, '_Events', NoEvents)
  workdir, experiment = epath.Path('gs://bucket/run'), Experiment()
  earth, now = find(experiment.data), {'train': Split(1, 'a', {'one': 'b'})}
  with run.alone(workdir):
    record.begin(workdir, experiment, earth, now, 0)
  record.check(workdir, experiment)
  record.check_data(workdir, earth, now)
  run.write_json(workdir / 'scores.json', {'step': 1000})
  longer = dataclasses.replace(experiment, optimizer=Optimizer(steps=2000))
  record.begin(workdir, longer, earth, now, 1000)
  assert (bucket / 'run' / 'scores_step1000.json').exists()
  for start in (0, 1):
    with writer.Writer(workdir, 4, start) as lines:
      lines.write(start + 1, 'train', {'a': 0.5})
      lines.write(start + 2, 'train', {'a': 0.25})
  write_label(workdir / 'label.png', np.zeros((2, 3), int), [(1, 2, 3)])
  assert closed == [1, 1]
  content = (bucket / 'run' / 'metrics.jsonl').read_text().splitlines()
  assert [json.loads(line)['step'] for line in content] == [1, 2, 3]
  saved = json.loads((bucket / 'run' / 'experiment.json').read_text())
  assert saved['experiment']['name'] == 'experiment'
  assert (bucket / 'run' / 'label.png').read_bytes()[1:4] == b'PNG'


def test_a_report_reads_and_writes_there(bucket):
  write_run(bucket / 'run')
  workdir = epath.Path('gs://bucket/run')
  write_report([workdir], workdir / 'report.html')
  assert '<html' in (bucket / 'run' / 'report.html').read_text()
  assert (bucket / 'run' / 'report.csv').exists()
