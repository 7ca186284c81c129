r"""What each train step costs, compiled from shapes, against recorded bounds.

Nothing here is timed. Where a bound breaks, something costs more than it did;
where a step has become cheaper, record it:

  PYTHONPATH=tests JAX_NUM_CPU_DEVICES=2 \
    XLA_FLAGS=--xla_backend_optimization_level=0 \
    python tests/training/test_costs.py
"""

import contextlib
import dataclasses
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from miniature import SIDE, Mini
from miniature import make_method as miniature
from programs import (
    collectives,
    compiled_step,
    in_branches,
    parameter_bytes,
)
from toy import example, on_toy

from adseg_jax import config
from adseg_jax.data import dataset as datasets
from adseg_jax.evaluation import inference
from adseg_jax.method.method import make_method
from adseg_jax.method.turns import Turn, turns
from adseg_jax.training import parallel
from adseg_jax.training.loop import train

# Segmentor, adversary, classes, crop, images a device, and the most that a step
# costs: GFLOP, and MiB of temporary memory by JAX 0.12 and by older ones.
# These are of the compiled program: a convolution in tiles counts as the fewer
# products that it takes, and as the memory that its tiles take.
CASES = {
    'multi-scale + two-branch': (
        config.Segmentor(), config.Adversary(), 11, (180, 240), 4,
        61.3, (269, 284),
    ),
    'multi-scale + Patch': (
        config.Segmentor(), config.Adversary('patch'), 11, (180, 240), 4,
        101.1, (214, 215),
    ),
    'FCN-32s + LargeFOV': (
        config.Segmentor('fcn32s'), config.Adversary('large_fov'),
        21, (224, 224), 1, 70.0, (1064, 1064),
    ),
    'Dilated-8 + LargeFOV product': (
        config.Segmentor('dilated8'),
        config.Adversary('large_fov', encoding='product'), 21, (320, 320), 1,
        965.0, (1335, 1335),
    ),
}
NEW = jax.__version_info__ >= (0, 12)
# Bytes of metrics and losses: at most so much beside the gradients.
SCALARS = 80
# Devices share one count, of labelled pixels, before the losses; then all.
COUNT = 4


def compiled_case(case):
  """One case's program for two devices, and the bytes of its parameters."""
  segmentor, adversary, classes, crop, images, *_ = CASES[case]
  method = make_method(config.Experiment(
      segmentor=segmentor, adversary=adversary
  ), classes)
  return compiled_step(method, crop, 2, images), parameter_bytes(method, crop)


def costs(program):
  """(GFLOP, MiB of temporary memory) of one device's share of a step."""
  return (
      program.cost_analysis()['flops'] / 1e9,
      program.memory_analysis().temp_size_in_bytes / 2**20,
  )


@pytest.mark.slow
@pytest.mark.parametrize('case', CASES)
def test_a_step_costs_no_more_than_recorded(case):
  program, parameters = compiled_case(case)
  flops, memory = costs(program)
  *_, most_flops, (new, old) = CASES[case]
  assert flops < most_flops
  assert memory < (new if NEW else old)
  count, everything = collectives(program)
  assert count == COUNT
  assert parameters < everything <= parameters + SCALARS


SCHEDULES = {
    'both at every step': {}, 'the segmentor alone': {'weight': 0},
    'a late start': {'start': 2}, 'turns': {'alternate_every': 2},
    'a late start, then turns': {'start': 2, 'alternate_every': 2},
    'turns of a control': {'alternate_every': 2, 'weight': 0},
    'a penalty': {'r1': 1.0, 'r1_every': 2},
}


@functools.cache
def program_of(method, turn):
  return compiled_step(method, (SIDE, SIDE), 1, turn=turn)


def programs_of(**schedule):
  """Turn -> its program, of the first six steps."""
  method = miniature(**schedule)
  return {
      turn: program_of(method, turn)
      for turn in {turns(step, method.adversary) for step in range(6)}
  }


@pytest.mark.parametrize('schedule', SCHEDULES)
def test_no_network_runs_inside_a_conditional_or_a_loop(schedule):
  """XLA's CPU backend runs what is in there on one thread, slowly."""
  for program in programs_of(**SCHEDULES[schedule]).values():
    assert 'convolution' in program.as_text()
    assert not in_branches(program) & {'convolution', 'dot', 'custom-call'}


def test_a_turn_costs_what_it_needs():
  """A step of one network less than one of both; none, before the start."""
  flops = [
      {turn: program.cost_analysis()['flops']
       for turn, program in programs_of(**schedule).items()}
      for schedule in ({'start': 2}, {'alternate_every': 2}, {'weight': 0})
  ]
  late, taking_turns, control = flops
  both = late[Turn(True, True, True)]
  assert len(late) == len(taking_turns) == 2
  assert max(taking_turns.values()) < both
  assert [late[Turn(True, False, False)]] == [*control.values()]
  # The segmentor's turn only asks what the discriminator says of two maps.
  assert control[Turn(True, False, False)] < (
      taking_turns[Turn(True, False, True)]
  )


def test_parts_of_a_batch_take_less_memory():
  """A quarter of the batch at a time, and what is kept between parts."""
  whole, parts = (
      costs(compiled_step(
          dataclasses.replace(miniature(), accumulate=count), (256, 256), 1,
          images=8,
      ))[1] for count in (1, 4)
  )
  assert parts < whole / 2


WEAK_SCALING = """
import json
from test_costs import moved_by_miniature
print(json.dumps([moved_by_miniature(n) for n in (64, 256)]))
"""


def moved_by_miniature(count, statistics=True):
  """Bytes of each collective; the statistics are one number."""
  method = miniature(Mini(average=statistics))
  return collectives(compiled_step(method, (SIDE, SIDE), count))


def test_bytes_do_not_depend_on_the_number_of_devices():
  count, plain = moved_by_miniature(8, statistics=False)
  parameters = parameter_bytes(miniature(), (SIDE, SIDE))
  assert count == COUNT and parameters < plain <= parameters + SCALARS
  moved = moved_by_miniature(8)
  assert moved == [COUNT, plain + 4]
  assert moved_by_miniature(1) == []
  here = Path(__file__).parent
  many = subprocess.run(
      [sys.executable, '-c', WEAK_SCALING], check=True, stdout=subprocess.PIPE,
      env=os.environ | {
          'JAX_NUM_CPU_DEVICES': '256',
          'PYTHONPATH': os.pathsep.join(map(str, (here, here.parent))),
      },
  )
  assert json.loads(many.stdout) == [moved, moved]


@contextlib.contextmanager
def events(name):
  """A list of what jax.monitoring reports under a name, as it comes."""
  found = []

  def listen(event, seconds, **about):
    if event.endswith(name):
      found.append(about)

  jax.monitoring.register_event_duration_secs_listener(listen)
  try:
    yield found
  finally:
    jax.monitoring.unregister_event_duration_listener(listen)


def watch(monkeypatch, compilations, calls):
  """Notes for each call of a train step what was compiled before and by it."""
  make = parallel.make_train_step

  def watched(*arguments):
    made = make(*arguments)

    def call(*arguments):
      before = len(compilations)
      result = made(*arguments)
      calls.append((before, len(compilations)))
      return result

    return call

  monkeypatch.setattr(parallel, 'make_train_step', watched)


def test_a_run_compiles_a_step_once_and_an_evaluation_once(
    tiny, tmp_path, monkeypatch
):
  """Its images have five sizes, which share a canvas."""
  monkeypatch.setitem(datasets.MODULES, 'toy', 'toy')
  rng = np.random.default_rng(len('validation'))
  assert len({example(rng)['label'].shape for _ in range(5)}) > 1
  calls = []
  jax.clear_caches()
  with events('/backend_compile_duration') as compilations:
    watch(monkeypatch, compilations, calls)
    train(on_toy(tiny), tmp_path)
  assert inference._look._cache_size() == 1
  assert [after - before for before, after in calls] == [1, 0, 0, 0, 0, 0]
  # By the end of the first evaluation, at step 3 of 6.
  assert calls[3][0] == len(compilations)


if __name__ == '__main__':
  for case in CASES:
    flops, memory = costs(compiled_case(case)[0])
    print(f'{case}: {flops:.2f} GFLOP, {memory:.2f} MiB')
