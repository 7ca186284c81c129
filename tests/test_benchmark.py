import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from adseg_jax.config import (
    Adversary,
    Data,
    Experiment,
    Optimizer,
    Segmentor,
    Update,
)
from adseg_jax.errors import UserError
from adseg_jax.reporting.numbers import NONE

EXPERIMENTS = Path(__file__).parents[1] / 'experiments'
ADAM = Update(name='adam', learning_rate=1e-3, momentum=0.5)


@pytest.fixture(autouse=True)
def _on_path(monkeypatch):
  monkeypatch.syspath_prepend(str(EXPERIMENTS))


def module(name):
  return importlib.import_module(name)


def make_case(
    segmentor='multiscale', side=64, classes=4, encoder='efficientnet_lite0',
    local_normalization=True, **adversary
):
  """The cheapest step of a pair of networks."""
  return module('benchmarking.cases').Case(classes, Experiment(
      data=Data(batch=2, crop=(side, side)),
      segmentor=Segmentor(
          name=segmentor, encoder=encoder, width=0.05,
          local_normalization=local_normalization,
      ),
      adversary=Adversary(width=0.1, **adversary),
      optimizer=Optimizer(segmentor=ADAM, discriminator=ADAM),
  ))


def turns(*seconds):
  return [{'seconds': one, 'idle': 0.5, 'cores': 2.0} for one in seconds]


def variant(seconds, limits=(), first=5.0):
  return {
      'start': {'first_step': first, 'since_process_start': 9.0},
      'second_starts': [
          {'first_step': step, 'since_process_start': start}
          for step, start in ((1.0, 2.5), (0.5, 3.0), (4.0, 2.0))
      ],
      'memory': {'resident': 2**30, 'device': None},
      'turns': turns(*seconds),
      'limits': [
          {'convolution': one, 'matrix': other} for one, other in limits
      ],
  }


MEASURED = {
    'xla': {'flops': 30.0, 'temporary': 2**29, 'arguments': 2**28},
    'flops': 20.0, 'left_out': {},
    'variants': {
        'jax': variant((1.0, 2.0, 1.0), ((10, 40), (20, 60), (90, 50))),
        # Slower in the median than `compile`, though its best turn is faster.
        'eager': variant((0.5, 4.0, 4.0), ((30, 30), (30, 30), (30, 30))),
        'compile': variant((2.0, 2.0, 3.0)),
    },
}


def test_a_spread_is_median_and_quartiles():
  found = module('benchmarking.figures').spread([5, 1, 2, 4, 3])
  assert found == {'median': 3, 'low': 2, 'high': 4}


def test_the_summary_by_hand():
  summary = module('benchmarking.figures').summarize(MEASURED, batch=4)
  assert summary['best'] == 'compile'
  ours = summary['variants']['jax']
  assert ours['pace']['median'] == 4.0  # 4, 2 and 4 images a second
  # 2, 1 and 3 times the rival's, each round beside its own.
  assert ours['ratio'] == {'median': 2.0, 'low': 1.5, 'high': 2.5}
  assert summary['variants']['compile']['ratio']['median'] == 1.0
  # Medians over rounds: convolutions 20 and 30, products 50 and 30.
  assert summary['limit'] == {
      'flops_per_second': 50.0, 'kind': 'matrix', 'variant': 'jax',
      'convolution': 30.0, 'matrix': 50.0,
  }
  # PyTorch's count, not that of XLA's program.
  assert ours['share'] == pytest.approx(20 / 1.0 / 50)
  assert ours['compile'] == 4.0 and ours['idle'] == 1.0
  assert (ours['start'], ours['second_start']) == (9.0, 2.5)
  assert (ours['step'], ours['second_step']) == (5.0, 1.0)


def test_without_pytorch_there_is_no_ratio():
  alone = MEASURED | {
      'flops': None, 'variants': {'jax': MEASURED['variants']['jax']}
  }
  figures = module('benchmarking.figures')
  summary = figures.summarize(alone, batch=4)
  assert summary['best'] == '' and summary['variants']['jax']['ratio'] is None
  rows = figures.rows({'toy': summary})
  assert figures.markdown(rows).splitlines()[2:] == [
      f'| toy | JAX | 4.00 (3.00 to 4.00) | {NONE} | 60% | 1.00 GiB | 4.0 '
      '| 9.0 | 2.5 (0.28) | 1.0 (0.20) |'
  ]


def test_the_plot_has_a_dot_a_round():
  chart = module('benchmarking.chart')
  drawn = chart.plot('toy', {'jax': [1.0, 2.0, 3.0], 'eager': [2.0, 2.0, 2.0]})
  rounds = [f'round {index}: {index}' for index in (1, 2, 3)]
  texts = re.findall('<title>([^<]*)</title>', drawn.svg)
  assert texts == [
      *rounds, 'round 1: 2', 'round 2: 2', 'round 3: 2', 'jax: 2', 'eager: 2'
  ]
  page = chart.page('<', [drawn], [['toy', '1 < 2']], ['a & b'])
  for text in (
      '<h1>&lt;</h1>', '<h3>toy</h3>', '<td>1 &lt; 2</td>', '<p>a &amp; b</p>'
  ):
    assert text in page


def test_help_and_mistakes_are_short():
  script = EXPERIMENTS / 'benchmark.py'
  shown = subprocess.run(
      [sys.executable, script, '--help'], capture_output=True, text=True
  )
  assert shown.returncode == 0 and '--torch-python' in shown.stdout
  benchmark = module('benchmark')
  with pytest.raises(UserError, match='--cases foo: not known: give some of'):
    benchmark.chosen(('foo',), 'cpu')
  with pytest.raises(UserError, match='cannot be run'):
    benchmark.interpreter('/no/python')
  with pytest.raises(UserError, match='--rounds 0: give 1 or more'):
    benchmark.run(benchmark.Arguments(rounds=0))


def test_large_cases_take_a_gpu_unless_they_are_named():
  chosen = module('benchmark').chosen
  assert 'dilated8' not in chosen((), 'cpu')
  assert 'dilated8' in chosen((), 'gpu')
  assert list(chosen(('dilated8',), 'cpu')) == ['dilated8']


def test_an_interpreter_without_pytorch(monkeypatch, capsys):
  benchmark = module('benchmark')
  processes = module('benchmarking.processes')
  monkeypatch.setattr(processes, 'find_torch', lambda python: '')
  assert benchmark.interpreter(sys.executable) == ('', '')
  assert 'JAX is measured alone' in capsys.readouterr().out
  with pytest.raises(UserError, match='has no torch'):
    benchmark.interpreter('/bin/other')


def test_a_busy_machine_is_said_to_be(monkeypatch, capsys):
  benchmark = module('benchmark')
  monkeypatch.setattr(module('benchmarking.worker'), 'cores', lambda: 8)
  for load, said in ((1.0, False), (3.0, True)):
    monkeypatch.setattr(os, 'getloadavg', lambda load=load: (load, 0, 0))
    benchmark.warn_if_busy()
    assert ('load 3.0 on 8 cores' in capsys.readouterr().out) == said


def test_jax_alone_end_to_end(monkeypatch, capsys, tmp_path):
  benchmark = module('benchmark')
  processes = module('benchmarking.processes')
  monkeypatch.setattr(processes, 'find_torch', lambda python: '')
  at_hand, programs, second_start = [], [], processes._second_start
  monkeypatch.setattr(
      processes, 'have_memory_at_hand', lambda: at_hand.append(1)
  )

  def watched(side, cache, *others):
    programs.append(sorted(os.listdir(cache)))
    found = second_start(side, cache, *others)
    programs.append(sorted(os.listdir(cache)))
    return found

  monkeypatch.setattr(processes, '_second_start', watched)
  monkeypatch.setattr(processes, 'SECOND_STARTS', 1)
  monkeypatch.setattr(
      processes, 'device', lambda: {'platform': 'cpu', 'hardware': 'a CPU'}
  )
  case = make_case(
      local_normalization=False, discriminator='small_fov_light',
      alternate_every=1,
  )
  monkeypatch.setattr(module('benchmarking.cases'), 'CASES', {'toy': case})
  benchmark.run(benchmark.Arguments(
      ('toy',), rounds=2, steps=1, output=str(tmp_path)
  ))
  assert '| toy | JAX | ' in capsys.readouterr().out
  assert '<h3>toy</h3>' in (tmp_path / 'benchmark.html').read_text()
  toy = json.loads((tmp_path / 'benchmark.json').read_text())['cases']['toy']
  ours, = toy['variants'].values()
  assert len(ours['turns']) == len(ours['limits']) == 2
  assert toy['xla']['flops'] > 1e6 and ours['memory']['resident'] > 2**27
  assert ours['start']['since_process_start'] > ours['start']['first_step'] > 0
  # They read what the first start compiled, and compile nothing more.
  first, *others = programs
  assert first and all(names == first for names in others)
  assert len(others) == 2 * len(ours['second_starts']) - 1
  assert len(at_hand) == 1 + len(ours['second_starts'])


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_memory_at_hand_is_filled_by_a_process_of_its_own(monkeypatch):
  processes = module('benchmarking.processes')
  monkeypatch.setattr(processes, 'AT_HAND', 2**28)
  run, found = subprocess.run, []

  def watched(command, check):
    *interpreter, program = command
    program += '; print(open("/proc/self/status").read())'
    found.append(run(
        [*interpreter, program], check=check, capture_output=True, text=True
    ).stdout)

  monkeypatch.setattr(subprocess, 'run', watched)
  processes.have_memory_at_hand()
  status = dict(re.findall(r'(\w+):\s*(\d+) kB', found.pop()))
  peak, left = (
      int(status[name]) * 1024 for name in ('VmHWM', 'VmRSS')
  )
  assert left < 2**28 <= peak < 2**29


def test_a_worker_that_fails_says_why():
  processes = module('benchmarking.processes')
  with processes.open_worker(sys.executable, 'jax_worker') as worker:
    assert worker.ask('device')['platform'] == jax.default_backend()
    with pytest.raises(processes.Failed, match="KeyError: 'experiment'"):
      worker.ask('start', case={})
    worker.process.kill()
    worker.process.wait()
    with pytest.raises(processes.Failed, match='ended with status -9'):
      worker.ask('device')


PAIRS = {
    'multiscale': dict(discriminator='two_branch', encoding='scaling'),
    'plain_patch': dict(discriminator='patch'),
    'fpn': dict(segmentor='fpn', side=180, discriminator='patch'),
    'fpn, resnet': dict(
        segmentor='fpn', encoder='resnet50', side=170, discriminator='patch'
    ),
    'deeplabv3plus': dict(
        segmentor='deeplabv3plus', side=170, discriminator='two_branch'
    ),
    'alternating': dict(discriminator='two_branch', alternate_every=1),
    'fcn32s': dict(
        segmentor='fcn32s', side=200, discriminator='large_fov'
    ),
    'dilated8': dict(
        segmentor='dilated8', side=195, discriminator='large_fov',
        encoding='product',
    ),
}


@pytest.mark.parametrize('name', PAIRS)
def test_pytorch_agrees(name):
  pytest.importorskip('torch', reason='the extra bench is not installed')
  processes = module('benchmarking.processes')
  case = json.loads(json.dumps(make_case(**PAIRS[name]).as_json()))
  found = processes.agree(name, case, sys.executable, 'cpu')
  assert found['difference'] < processes.TOLERANCE
  assert np.isfinite(found['difference'])


def test_disagreement_stops_the_measurement(monkeypatch):
  processes = module('benchmarking.processes')
  found = {'difference': 1e-3, 'where': 'segmentor/score/bias'}
  monkeypatch.setattr(processes.Worker, 'ask', lambda *_, **__: found)
  with pytest.raises(UserError, match=r'by 1\.0e-03 in segmentor/score'):
    processes.agree('toy', {'experiment': {}}, sys.executable, 'cpu')
