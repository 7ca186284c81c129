"""Layouts of devices: one host, many devices, two processes."""

import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from comparison import SLOWER, final_state, lines, scores, start
from miniature import (
    HEAVY,
    Mini,
    assert_close,
    make_batch,
    make_method,
    make_state,
)
from toy import on_toy

from adseg_jax.training import parallel

STEPS = 20
# Shares of void: each device has another number of pixels to count.
SHARES = (0.0, 0.9, 0.3, 1.1, 0.5, 0.1, 0.7, 0.6)
METHOD = make_method(Mini(normalize=True), update=HEAVY, weight=0.5)


def trained(devices=None, host=0, hosts=1):
  """Both networks after STEPS steps on this host's part of each batch."""
  devices = devices or jax.local_devices()
  step = parallel.make_train_step(
      METHOD, None if hosts > 1 else tuple(devices)
  )
  state = parallel.place(make_state(METHOD), devices)
  size = len(SHARES) // hosts
  for seed in range(STEPS):
    batch = make_batch(seed, len(SHARES), SHARES)
    part = {k: x[host * size:(host + 1) * size] for k, x in batch.items()}
    state, _ = step(state, parallel.shard(part, len(devices)))
  return jax.device_get((state.segmentor, state.discriminator))


@pytest.fixture(scope='module')
def alone():
  return trained(jax.local_devices()[:1])


def assert_equal_networks(found, wanted):
  """Parameters, statistics and momenta, to 1e-5 of each one's largest.

  Not leaf by leaf: a bias before batch normalisation has no gradient, so that
  it is nothing but rounding.
  """
  for ours, theirs in zip(found, wanted, strict=True):
    for name in ('params', 'model_state', 'optimizer_state'):
      if jax.tree.leaves(getattr(theirs, name)):
        assert_close(getattr(ours, name), getattr(theirs, name), 1e-5)


@pytest.mark.parametrize('count', [2, 8])
def test_more_devices_end_in_the_same_parameters(alone, count):
  found = trained(jax.local_devices()[:count])
  assert_equal_networks(found, alone)
  before = make_state(METHOD).segmentor.params
  with pytest.raises(AssertionError):
    assert_close(found[0].params, before, 1e-2)  # they have learnt


def free_port():
  with socket.socket() as found:
    found.bind(('127.0.0.1', 0))
    return found.getsockname()[1]


TRAINED = """
import pickle, sys
from adseg_jax.commands.cli import join
port, index, output = sys.argv[1:]
join((f'127.0.0.1:{port}', '2', index))
from test_hosts import parallel, trained
found = trained(host=int(index), hosts=2)
if parallel.is_main():
  with open(output, 'wb') as file:
    pickle.dump(found, file)
"""


@pytest.mark.slow
def test_two_processes_end_in_the_same_parameters(alone, tmp_path):
  port, output = str(free_port()), tmp_path / 'found'
  here = Path(__file__).parent
  processes = [
      subprocess.Popen(
          [sys.executable, '-c', TRAINED, port, str(index), output],
          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
          env=os.environ | {
              'JAX_NUM_CPU_DEVICES': '2',
              'PYTHONPATH': os.pathsep.join(map(str, (here, here.parent))),
          },
      ) for index in range(2)
  ]
  said = [process.communicate(timeout=300)[0] for process in processes]
  assert [process.returncode for process in processes] == [0, 0], said
  assert_equal_networks(pickle.loads(output.read_bytes()), alone)


def hosts(experiment, workdir, before=''):
  """Two processes of two devices that train together."""
  port = free_port()
  return [
      start(
          experiment, workdir,
          f"cli.join(('127.0.0.1:{port}', '2', '{index}'))\n{before}",
          devices=2,
      ) for index in range(2)
  ]


# The process ends, as if killed, once so many checkpoints are written.
LEAVE_AFTER = """
import os
from adseg_jax.training.checkpoint import Checkpoints
save, saves = Checkpoints.save, []

def saving(*args, **options):
  save(*args, **options)
  saves.append(1)
  if len(saves) == {}:
    os._exit(9)

Checkpoints.save = saving
"""


@pytest.mark.slow
@pytest.mark.usefixtures('compiled_once')
def test_a_run_moves_from_one_device_to_four_to_two_processes(
    tiny, whole, tmp_path
):
  """8 devices without a stop; 1, then 4, then 2 x 2 with two stops."""
  experiment, workdir = on_toy(tiny), tmp_path / 'run'
  for devices, step in ((1, 2), (4, 3)):
    process = start(experiment, workdir, LEAVE_AFTER.format(1), devices)
    said = process.communicate()
    assert process.returncode == 9, said
    steps = [int(p.name) for p in (workdir / 'checkpoints').iterdir()]
    assert max(steps) == step
  processes = hosts(experiment, workdir)
  said = [process.communicate(timeout=600) for process in processes]
  assert [process.returncode for process in processes] == [0, 0], said
  assert 'step 6/6' in said[0][0] and 'step' not in said[1][0]
  assert_equal_networks(*(
      [(s.segmentor, s.discriminator) for s in (
          final_state(experiment, folder) for folder in (workdir, whole)
      )]
  ))
  for ours, theirs in zip(lines(workdir), lines(whole), strict=True):
    assert ours.keys() == theirs.keys()
    np.testing.assert_allclose(
        [*ours.values()][2:], [*theirs.values()][2:], rtol=1e-3, atol=1e-5
    )
  ours, theirs = scores(workdir), scores(whole)
  assert np.sum(ours['confusion']) == np.sum(theirs['confusion'])
  assert (ours['images'], ours['step']) == (5, 6)
  assert json.loads((workdir / 'experiment.json').read_text())


@pytest.mark.slow
@pytest.mark.usefixtures('compiled_once')
def test_sigterm_to_one_host_stops_all_at_the_same_step(
    tiny, tmp_path
):
  experiment, workdir = on_toy(tiny, steps=200), tmp_path / 'run'
  processes = hosts(experiment, workdir, SLOWER.format(0.05))
  metrics = workdir / 'metrics.jsonl'
  while not (metrics.exists() and metrics.read_text().count('\n') > 2) and all(
      process.poll() is None for process in processes
  ):
    time.sleep(0.01)
  processes[1].send_signal(signal.SIGTERM)
  said = [process.communicate(timeout=120) for process in processes]
  assert [process.returncode for process in processes] == [0, 0], said
  steps = {
      re.search('stopped at step ([0-9]+) of 200', out)[1] for out, _ in said
  }
  assert len(steps) == 1
  assert (workdir / 'checkpoints' / steps.pop()).is_dir()
