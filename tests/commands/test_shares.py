import json
import os
import subprocess
import sys

import pytest

from adseg_jax import environment
from adseg_jax.commands import shares
from adseg_jax.commands.shares import Share
from adseg_jax.errors import UserError

SETTINGS = (
    'CUDA_VISIBLE_DEVICES', 'XLA_CLIENT_MEM_FRACTION',
    'XLA_PYTHON_CLIENT_MEM_FRACTION',
)
# What a process may use, and its environment.
SEEN = (
    'import json, os; '
    'print(json.dumps([[*os.sched_getaffinity(0)], dict(os.environ)]))'
)


@pytest.fixture
def bare(monkeypatch):
  """An environment that says nothing of GPUs."""
  for name in SETTINGS:
    monkeypatch.delenv(name, raising=False)


def find(monkeypatch, kind, count):
  monkeypatch.setattr(shares, '_devices', lambda: (kind, count))


def seen(share, variables=None):
  """(cores, environment) that a process with this share has."""
  child = share.start(
      [sys.executable, '-c', SEEN], variables, stdout=subprocess.PIPE
  )
  cores, variables = json.loads(child.communicate()[0])
  return set(cores), variables


def test_one_run_at_a_time_has_all():
  assert shares.shares(1) == [Share()]
  assert seen(Share())[0] == os.sched_getaffinity(0)


def test_cores_are_cut_into_equal_parts_that_share_none(monkeypatch):
  find(monkeypatch, 'cpu', 8)
  monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {9, 2, 3, 5, 7})
  parts = [part.cores for part in shares.shares(2)]
  assert parts == [{2, 3}, {5, 7}]
  assert [len(part.cores) for part in shares.shares(5)] == [1] * 5


def test_a_process_keeps_to_its_cores_and_this_one_does_not(monkeypatch):
  before = os.sched_getaffinity(0)
  core = max(before)
  assert seen(Share(frozenset({core})))[0] == {core}
  assert os.sched_getaffinity(0) == before


def test_programs_for_other_cores_are_not_used(monkeypatch):
  part = Share(frozenset({max(os.sched_getaffinity(0))}))
  name = 'JAX_COMPILATION_CACHE_DIR'
  for folder, stays in (str(environment.programs()), False), ('/mine', True):
    monkeypatch.setenv(name, folder)
    assert (name in seen(part)[1]) == stays
    assert name in seen(Share())[1]


@pytest.mark.parametrize('gpus,count,given,wanted', [
    (4, 2, {}, [{SETTINGS[0]: '0,1'}, {SETTINGS[0]: '2,3'}]),
    (2, 2, {SETTINGS[0]: '3,GPU-7'},
     [{SETTINGS[0]: '3'}, {SETTINGS[0]: 'GPU-7'}]),
    (1, 3, {}, [{SETTINGS[0]: '0', SETTINGS[2]: '0.2500'}] * 3),
    (2, 4, {SETTINGS[0]: '5,6', SETTINGS[1]: '0.9'},
     [{SETTINGS[0]: '5', SETTINGS[1]: '0.4500'},
      {SETTINGS[0]: '6', SETTINGS[1]: '0.4500'}] * 2),
])
@pytest.mark.usefixtures('bare')
def test_gpus_and_their_memory(monkeypatch, gpus, count, given, wanted):
  find(monkeypatch, 'gpu', gpus)
  for name, value in given.items():
    monkeypatch.setenv(name, value)
  found = shares.shares(count)
  assert [part.variables for part in found] == wanted
  _, variables = seen(found[-1])
  assert {k: variables[k] for k in wanted[-1]} == wanted[-1]
  # Both names of the fraction at once are refused by JAX.
  assert sum(name in variables for name in SETTINGS[1:]) <= 1


@pytest.mark.parametrize('kind,devices,count,words', [
    ('cpu', 1, 0, 'at least 1'), ('cpu', 1, 1000, 'has .* cores?, and'),
    ('gpu', 2, 3, 'there are 2 GPUs: .*divisor'), ('tpu', 4, 2, 'a TPU'),
])
def test_a_machine_that_cannot_be_shared(
    monkeypatch, kind, devices, count, words
):
  find(monkeypatch, kind, devices)
  with pytest.raises(UserError, match=f'--jobs .*{words}') as error:
    shares.shares(count)
  assert '\n' not in str(error.value)


def test_devices_are_those_that_a_run_would_find(monkeypatch):
  monkeypatch.setenv('JAX_NUM_CPU_DEVICES', '3')
  monkeypatch.setenv('JAX_PLATFORMS', 'cpu')
  assert shares._devices() == ('cpu', 3)
  monkeypatch.setenv('JAX_PLATFORMS', 'abacus')
  with pytest.raises(UserError, match=r'no device: .*abacus'):
    shares._devices()
