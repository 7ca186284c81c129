"""What two runs must share to be the same, and runs in other processes."""

import contextlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import pytest
from miniature import same

from adseg_jax.method.method import make_method
from adseg_jax.method.state import initialize
from adseg_jax.training.checkpoint import Checkpoints

# What depends on time and on the machine.
TIMES = {
    'seconds', 'images_per_second', 'waiting', 'peak_host_gib',
    'peak_device_gib',
}
# Orbax leaves a coroutine behind when a file can't be read or written; whether
# Python tells at its end is chance.
QUIET = ('-W', 'ignore:coroutine:RuntimeWarning')
# Trains in a process of its own; {} runs first.
SCRIPT = """
import pickle, sys
from pathlib import Path
import small
from adseg_jax.commands import cli
from adseg_jax.data import dataset
from adseg_jax.training.loop import train

dataset.MODULES['toy'] = 'toy'
{}
cli.guard(lambda: train(
    pickle.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2])
))
"""
# Run first, it makes each step so many seconds longer: what a test does to the
# process must come before its end.
SLOWER = """
import time
from adseg_jax.training.clock import Clock
step = Clock.step
Clock.step = lambda clock: (time.sleep({}), step(clock))
"""


class Stop(BaseException):
  """Like a kill: nothing catches it."""


@contextlib.contextmanager
def stopped_at(owner, name, call):
  """What is inside ends, by Stop, at the `call`-th call of a function."""
  function, calls = getattr(owner, name), []

  def stopping(*arguments, **options):
    calls.append(name)
    if len(calls) == call:
      raise Stop
    return function(*arguments, **options)

  with pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
    patch.setattr(owner, name, stopping)
    yield


def programs(folder):
  """Variables that let a process find what this one has compiled.

  In links of its own: a process that is killed while it writes leaves halves.
  """
  folder.mkdir()
  for path in Path(jax.config.jax_compilation_cache_dir).iterdir():
    os.link(path, folder / path.name)
  return {
      'JAX_ENABLE_COMPILATION_CACHE': 'true',
      'JAX_COMPILATION_CACHE_DIR': str(folder),
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
      'JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES': '-1',
  }


def start(experiment, workdir, before='', devices=8):
  """Starts training; `before` is run in the same process first."""
  workdir.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.NamedTemporaryFile(
      dir=workdir.parent, suffix='.pickle', delete=False
  ) as file:
    pickle.dump(experiment, file)
  script = Path(file.name).with_suffix('.py')
  script.write_text(SCRIPT.format(before))
  environ = os.environ | {
      'JAX_NUM_CPU_DEVICES': str(devices),
      'PYTHONPATH': str(Path(__file__).parent),
  }
  if 'JAX_COMPILATION_CACHE_DIR' not in environ:
    environ |= programs(script.with_suffix('.programs'))
  return subprocess.Popen(
      [sys.executable, *QUIET, script, file.name, workdir],
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ,
  )


def lines(workdir):
  """metrics.jsonl without TIMES."""
  content = (workdir / 'metrics.jsonl').read_text().splitlines()
  return [
      {k: v for k, v in json.loads(line).items() if k not in TIMES}
      for line in content
  ]


def scores(workdir):
  content = json.loads((workdir / 'scores.json').read_text())
  return {k: v for k, v in content.items() if k not in TIMES}


def final_state(experiment, workdir):
  method = make_method(experiment, 3)
  state = initialize(jax.random.key(9), method, experiment.data.crop)
  with Checkpoints(workdir, experiment) as checkpoints:
    return checkpoints.restore(state)[0]


def assert_equal_runs(experiment, one, other):
  assert lines(one) == lines(other)
  assert scores(one) == scores(other)
  assert same(final_state(experiment, one), final_state(experiment, other))
  left, right = ({p.name: p.read_bytes() for p in (w / 'panels').iterdir()}
                 for w in (one, other))
  assert left == right
