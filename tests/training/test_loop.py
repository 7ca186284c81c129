import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from adseg_jax.config import to_json
from adseg_jax.errors import UserError
from adseg_jax.training.checkpoint import Checkpoints
from adseg_jax.training.loop import train
from adseg_jax.training.method import make_method
from adseg_jax.training.state import init_state

# Reads the experiment from a file, so that a process of its own trains it.
SCRIPT = """
import json, sys
from pathlib import Path
from adseg_jax import config
from adseg_jax.training.loop import train

def build(kind, values):
  fields = {}
  for name, value in values.items():
    default = getattr(kind(), name)
    if isinstance(value, dict):
      value = build(type(default), value)
    fields[name] = tuple(value) if isinstance(value, list) else value
  return kind(**fields)

content = json.loads(Path(sys.argv[1]).read_text())
train(build(config.Experiment, content), Path(sys.argv[2]))
"""


@pytest.fixture(scope='module', autouse=True)
def one_device():
  """A run takes all devices; here one, as most machines have."""
  with pytest.MonkeyPatch.context() as patch:
    device = jax.devices()[:1]
    patch.setattr(jax, 'local_device_count', lambda: 1)
    patch.setattr(jax, 'local_devices', lambda: device)
    patch.setattr(jax, 'devices', lambda: device)
    yield


def start(experiment, workdir, tmp_path):
  path = tmp_path / 'experiment.json'
  path.write_text(to_json(experiment))
  return subprocess.Popen(
      [sys.executable, '-c', SCRIPT, str(path), str(workdir)],
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
      env=os.environ | {'JAX_NUM_CPU_DEVICES': '1'},
  )


def lines(workdir):
  """metrics.jsonl without what depends on time."""
  content = (workdir / 'metrics.jsonl').read_text().splitlines()
  return [
      {k: v for k, v in json.loads(line).items()
       if k not in ('seconds', 'images_per_second')}
      for line in content
  ]


def final_state(experiment, workdir):
  method = make_method(experiment, 6)
  state = init_state(jax.random.key(9), method, experiment.data.crop)
  with Checkpoints(workdir, experiment) as checkpoints:
    state = checkpoints.restore(state)[0]
  return jax.tree.map(
      np.asarray, (state.step, state.segmentor, state.discriminator)
  )


@pytest.mark.slow
def test_killed_and_continued_ends_in_the_same_bits(tiny, tmp_path):
  experiment = dataclasses.replace(
      tiny, optimizer=dataclasses.replace(tiny.optimizer, steps=24)
  )
  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  undisturbed = start(experiment, whole, tmp_path)
  assert undisturbed.wait() == 0, undisturbed.stdout.read()

  process = start(experiment, broken, tmp_path)
  checkpoint = broken / 'checkpoints' / str(random.choice((4, 8, 14)))
  while not checkpoint.exists() and process.poll() is None:
    time.sleep(0.01)
  time.sleep(random.random() * 0.2)
  process.send_signal(signal.SIGKILL)
  process.wait()
  assert not (broken / 'scores.json').exists(), 'finished before the kill'

  again = start(experiment, broken, tmp_path)
  assert again.wait() == 0, again.stdout.read()
  assert lines(broken) == lines(whole)
  for ours, theirs in zip(
      jax.tree.leaves(final_state(experiment, broken)),
      jax.tree.leaves(final_state(experiment, whole)), strict=True,
  ):
    assert ours.tobytes() == theirs.tobytes()


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
  return tmp_path_factory.mktemp('finished') / 'run'


def test_a_run_writes_what_it_says_and_is_left_alone_then(tiny, finished):
  train(tiny, finished)
  assert {path.name for path in finished.iterdir()} == {
      'checkpoints', 'experiment.json', 'metrics.jsonl', 'overview', 'panels',
      'scores.json', 'tensorboard',
  }
  scores = json.loads((finished / 'scores.json').read_text())
  assert scores['step'] == 6
  assert scores['images'] == 90
  assert sum(map(sum, scores['confusion'])) == 90 * 128 * 128
  kinds = [(line['step'], line['kind']) for line in lines(finished)]
  assert kinds == [
      (2, 'train'), (3, 'train'), (3, 'validation'), (4, 'train'),
      (6, 'train'), (6, 'validation'),
  ]
  saved = json.loads((finished / 'experiment.json').read_text())
  assert saved['experiment']['optimizer']['steps'] == 6
  assert saved['versions']['jax'] == jax.__version__
  assert len(list((finished / 'panels').iterdir())) == 2 * 3

  before = {p: p.stat().st_mtime_ns for p in finished.rglob('*')}
  train(tiny, finished)
  assert {p: p.stat().st_mtime_ns for p in finished.rglob('*')} == before


def test_another_experiment_is_refused(tiny, finished):
  assert (finished / 'scores.json').exists()
  other = dataclasses.replace(tiny, seed=5)
  before = (finished / 'experiment.json').read_bytes()
  with pytest.raises(UserError, match='seed is 0 there, 5 here'):
    train(other, finished)
  assert (finished / 'experiment.json').read_bytes() == before


def test_the_same_run_may_move_to_another_machine(tiny, finished):
  data = dataclasses.replace(tiny.data, prepared='/elsewhere')
  train(dataclasses.replace(tiny, data=data), finished)
