"""Runs that train together end as they would alone."""

import dataclasses
import json
import os
import shutil
import signal
from pathlib import Path

import jax
import numpy as np
import pytest
from comparison import (
    Stop,
    assert_equal_runs,
    final_state,
    lines,
    scores,
    stopped_at,
)
from miniature import (
    HEAVY,
    Mini,
    assert_close,
    assert_same_metrics,
    make_batch,
    make_method,
    make_state,
    same,
)
from test_hosts import assert_equal_networks, hosts
from toy import on_toy

from adseg_jax import cli
from adseg_jax.data import examples, pipeline
from adseg_jax.errors import Stopped, UserError
from adseg_jax.reporting.report import write_report
from adseg_jax.training import health, parallel, run
from adseg_jax.training.checkpoint import Checkpoints
from adseg_jax.training.clock import Clock
from adseg_jax.training.loop import train, train_seeds
from adseg_jax.training.seeds import cohorts, runs_of
from adseg_jax.training.step import train_step

COUNT = 3
# The adversary starts, and the networks take turns, while they train.
METHOD = make_method(
    Mini(dropout=0.5, average=True), update=HEAVY, weight=0.5, start=1,
    alternate_every=2,
)


def trained(seed_lists, devices, steps=5):
  """[(networks, metrics of each step)] of all seeds; each list together."""
  results = []
  for together in seed_lists:
    step = parallel.make_seeds_step(METHOD, len(together), devices)
    states = [
        parallel.place(make_state(METHOD, seed), devices) for seed in together
    ]
    history = []
    for number in range(steps):
      batches = [
          parallel.shard(make_batch(100 * seed + number, 8), len(devices))
          for seed in together
      ]
      states, metrics = step(states, batches)
      history.append(jax.device_get(metrics))
    results += [
        (jax.device_get((state.segmentor, state.discriminator)), list(values))
        for state, values in zip(
            states, zip(*history, strict=True), strict=True
        )
    ]
  return results


@pytest.mark.parametrize('count', [1, 2, 8])
def test_called_in_turn_the_step_gives_the_same_bits(count):
  devices = tuple(jax.local_devices()[:count])
  alone, together = (
      trained(lists, devices) for lists in ([[0], [1], [2]], [[0, 1, 2]])
  )
  assert all(same(*pair) for pair in zip(together, alone, strict=True))
  assert not same(alone[0], alone[1])


@pytest.mark.parametrize('count', [1, 2])
def test_one_program_gives_the_same_up_to_rounding(count, monkeypatch):
  """Dropout keys, too: with others, the masks would differ."""
  devices = tuple(jax.local_devices()[:count])
  alone = trained([[0], [1], [2]], devices)
  monkeypatch.setattr(parallel, 'in_one_program', lambda: True)
  together = trained([[0, 1, 2]], devices)
  for (ours, found), (theirs, wanted) in zip(together, alone, strict=True):
    assert_close(ours, theirs, 1e-5)
    assert_same_metrics(found, wanted, 1e-4)


def test_conditions_on_the_step_stay_conditions_in_one_program():
  """Mapped, they would compute both branches at every step."""
  states = [make_state(METHOD, seed) for seed in range(2)]
  batches = [make_batch(seed) for seed in range(2)]
  together = jax.make_jaxpr(
      lambda *args: parallel._together(*args, method=METHOD),
      axis_env=[(parallel.AXIS, 1)],
  )(states, batches)
  alone = jax.make_jaxpr(lambda *args: train_step(*args, method=METHOD))(
      states[0], batches[0]
  )
  # Whether gradients are finite differs between seeds: a choice for each of
  # the two networks.
  assert str(together).count('cond[') == str(alone).count('cond[') - 2 > 2


@pytest.fixture(scope='module')
def place(tmp_path_factory):
  return tmp_path_factory.mktemp('seeds')


@pytest.fixture
def alone(tiny, whole, place, compiled_once):
  """Seeds 0, 1 and 2, each in a run of its own."""
  folders = [whole, place / 'one', place / 'two']
  for seed, folder in enumerate(folders):
    train(dataclasses.replace(on_toy(tiny), seed=seed), folder)
  return folders


def assert_as_alone(tiny, workdir, alone, only=range(COUNT)):
  for seed in only:
    experiment = dataclasses.replace(on_toy(tiny), seed=seed)
    assert_equal_runs(experiment, workdir / f'seed{seed}', alone[seed])


def together(tiny, workdir, count=COUNT):
  train_seeds(runs_of(on_toy(tiny), workdir, count))


def test_each_ends_as_alone_in_a_folder_that_reports_read(
    tiny, alone, tmp_path, capfd, monkeypatch
):
  loaded, streams = [], []
  load, batches = examples.load, pipeline.train_batches
  monkeypatch.setattr(examples, 'load', lambda *args: (
      loaded.append(args[1]), load(*args)
  )[1])
  monkeypatch.setattr(pipeline, 'train_batches', lambda *args, **options: (
      streams.append(args[0].tensors), batches(*args, **options)
  )[1])
  together(tiny, tmp_path)
  assert_as_alone(tiny, tmp_path, alone)
  # One copy of the data serves all streams.
  assert loaded == ['train', 'validation']
  assert len(streams) == COUNT
  assert all(tensors is streams[0] for tensors in streams)
  said = capfd.readouterr().out
  assert said.count('step 6/6') == 1  # one shows the progress of all
  folders = [tmp_path / f'seed{seed}' for seed in range(COUNT)]
  for seed, folder in enumerate(folders):
    saved = json.loads((folder / 'experiment.json').read_text())
    assert saved['experiment']['seed'] == seed
    assert f'in {folder}' in said
  page = write_report(folders, tmp_path / 'report.html').read_text()
  assert '3' in page and 'seed' in page
  before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*')}
  together(tiny, tmp_path)
  assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*')} == before


@pytest.mark.parametrize('owner,name,call,steps', [
    (Checkpoints, 'save', 2, [{2}, set(), set()]),
    (Checkpoints, 'save', 6, [{2, 3}, {2, 3}, {2}]),
    (run, 'write_json', 5, [{3, 4, 6}] * 2 + [{2, 3, 4}]),
], ids=['one saved', 'two saved', 'one finished'])
def test_killed_between_the_saves_of_two_runs(
    tiny, alone, tmp_path, monkeypatch, owner, name, call, steps
):
  with stopped_at(owner, name, call):
    together(tiny, tmp_path)
  folders = [tmp_path / f'seed{seed}' for seed in range(COUNT)]
  for folder, wanted in zip(folders, steps, strict=True):
    assert wanted - seeds_saved(folder) <= {2, 3}
    assert max(wanted, default=0) == max(seeds_saved(folder), default=0)
  together(tiny, tmp_path)
  assert_as_alone(tiny, tmp_path, alone)


def seeds_saved(folder):
  paths = (folder / 'checkpoints').glob('*')
  return {int(path.name) for path in paths if path.name.isdigit()}


def test_sigterm_saves_all_and_one_may_go_on_alone(
    tiny, alone, tmp_path, monkeypatch
):
  counted, calls = Clock.step, []

  def stepping(clock):
    calls.append(1)
    if len(calls) == COUNT + 1:  # the second step of the first
      os.kill(os.getpid(), signal.SIGTERM)
    counted(clock)

  with monkeypatch.context() as patch, pytest.raises(
      Stopped, match=r'at step 2 of 6, saved in .*seed0, .*seed2: the same'
  ):
    patch.setattr(Clock, 'step', stepping)
    together(tiny, tmp_path)
  for seed in range(COUNT):
    experiment = dataclasses.replace(on_toy(tiny), seed=seed)
    assert final_state(experiment, tmp_path / f'seed{seed}').step == 2
  train(dataclasses.replace(on_toy(tiny), seed=1), tmp_path / 'seed1')
  assert_as_alone(tiny, tmp_path, alone, [1])
  together(tiny, tmp_path)
  assert_as_alone(tiny, tmp_path, alone)


def test_a_damaged_checkpoint_of_one_takes_all_one_back(
    tiny, alone, tmp_path, capfd
):
  for seed, folder in enumerate(alone):
    copy = tmp_path / f'seed{seed}'
    shutil.copytree(folder, copy)
    (copy / 'scores.json').unlink()
  data = tmp_path / 'seed1' / 'checkpoints' / '6' / 'state' / 'd'
  for path in data.iterdir():
    path.write_bytes(b'')
  together(tiny, tmp_path)
  assert 'the checkpoint of step 6 cannot be read' in capfd.readouterr().out
  assert_as_alone(tiny, tmp_path, alone)


def poison(monkeypatch, seed, steps):
  """Batches of these steps of one seed, 1 the first, hold a nan."""
  batches = pipeline.train_batches

  def poisoned(*args, **options):
    for step, batch in enumerate(batches(*args, **options), 1):
      if options['seed'] == seed and step in steps:
        batch = batch | {'image': batch['image'] * np.float32('nan')}
      yield batch

  monkeypatch.setattr(pipeline, 'train_batches', poisoned)


def test_a_nan_in_one_does_not_touch_the_others(
    tiny, alone, tmp_path, monkeypatch, capfd
):
  poison(monkeypatch, 1, {2})
  together(tiny, tmp_path)
  assert_as_alone(tiny, tmp_path, alone, [0, 2])
  found = [[line['dropped'] for line in lines(tmp_path / f'seed{seed}')
            if line['kind'] == 'train'] for seed in range(COUNT)]
  assert found == [[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
  said = capfd.readouterr().out
  assert 'seed 1: not finite, update dropped: step 2\n' in said


def test_a_row_of_nans_in_one_stops_all_with_its_name(
    tiny, tmp_path, monkeypatch, compiled_once
):
  monkeypatch.setattr(health, 'PATIENCE', 4)
  poison(monkeypatch, 1, range(1, 7))
  with pytest.raises(UserError, match=r'^seed 1: 4 updates in a row'):
    together(tiny, tmp_path, 2)
  assert not list(tmp_path.glob('*/scores.json'))


@pytest.mark.slow
def test_a_run_in_one_program_goes_through_the_loop(
    tiny, alone, tmp_path, monkeypatch
):
  """As on an accelerator; stopped once, it continues."""
  monkeypatch.setattr(parallel, 'in_one_program', lambda: True)
  save, calls = Checkpoints.save, []

  def stopping(*args, **options):
    save(*args, **options)
    calls.append(1)
    if len(calls) == 3:
      raise Stop

  with monkeypatch.context() as patch, pytest.raises(Stop):
    patch.setattr(Checkpoints, 'save', stopping)
    together(tiny, tmp_path, 2)
  together(tiny, tmp_path, 2)
  for seed in range(2):
    folder = tmp_path / f'seed{seed}'
    for ours, theirs in zip(lines(folder), lines(alone[seed]), strict=True):
      assert ours.keys() == theirs.keys()
      np.testing.assert_allclose(
          [*ours.values()][2:], [*theirs.values()][2:], rtol=1e-3, atol=1e-4
      )


@pytest.mark.slow
def test_two_hosts_of_two_devices(tiny, alone, tmp_path):
  processes = hosts(on_toy(tiny), tmp_path / 'many', """
from adseg_jax.training.loop import train_seeds
from adseg_jax.training.seeds import runs_of
train = lambda experiment, folder: train_seeds(runs_of(experiment, folder, 2))
""")
  said = [process.communicate(timeout=600) for process in processes]
  assert [process.returncode for process in processes] == [0, 0], said
  for seed in range(2):
    folder = tmp_path / 'many' / f'seed{seed}'
    experiment = dataclasses.replace(on_toy(tiny), seed=seed)
    assert_equal_networks(*(
        [(s.segmentor, s.discriminator) for s in (
            final_state(experiment, one) for one in (folder, alone[seed])
        )]
    ))
    assert np.sum(scores(folder)['confusion']) == np.sum(
        scores(alone[seed])['confusion']
    )


@pytest.mark.parametrize('saved,groups', [
    ([set()] * 2, ['ab']),
    ([{100, 200, 300}, {100, 200}], ['ab']),  # killed between two saves
    ([{100}, set(), set()], ['abc']),  # at the first of them
    ([{100, 200}, {100, 200}, set()], ['ab', 'c']),  # a seed was added
    ([{100, 300, 400, 500}, {100, 200}, {100, 200}], ['bc', 'a']),
    ([{100}, {200}, {300}], ['abc']),
    ([{100, 200}, {300, 400}], ['b', 'a']),
], ids=str)
def test_runs_meet_where_no_work_is_lost(saved, groups):
  found = cohorts(dict(zip('abc', saved, strict=False)))
  assert [''.join(group) for group in found] == groups


def test_seeds_that_were_added_do_not_take_the_others_back(
    tiny, alone, tmp_path, monkeypatch
):
  with pytest.raises(Stop), monkeypatch.context() as patch:
    log = Checkpoints.save

    def stopping(self, *args):
      log(self, *args)
      if int(args[0].step) == 4 and self.workdir.name == 'seed1':
        raise Stop

    patch.setattr(Checkpoints, 'save', stopping)
    together(tiny, tmp_path, 2)
  begun = []
  rewind = Checkpoints.rewind
  monkeypatch.setattr(Checkpoints, 'rewind', lambda self, step: (
      begun.append(step), rewind(self, step)
  ))
  together(tiny, tmp_path)
  assert not begun
  assert_as_alone(tiny, tmp_path, alone)


@pytest.mark.parametrize('argv,words', [
    (['--seeds', '0'], '--seeds is 0: give how many, 1 or more'),
    (['--seeds', '-1'], '--seeds is -1'),
    (['--seeds', 'many'], "--seeds"),
    (['--seeds', '2', '--seed', '4294967295'], '--seed is 4294967296'),
    (['--seeds', '2', '--workdir', 'single'],
     '--workdir single: holds a single run'),
    (['--workdir', 'several'], '--workdir several: holds a run in seed3'),
])
def test_a_mistake_is_one_line(
    tiny, tmp_path, monkeypatch, capsys, argv, words
):
  monkeypatch.chdir(tmp_path)
  for folder in ('single', 'several/seed3'):
    Path(folder).mkdir(parents=True)
    (Path(folder) / 'experiment.json').write_text('{}')
  monkeypatch.setattr('sys.argv', ['x.py', *argv])
  with pytest.raises(SystemExit) as stop:
    cli.run(tiny, '')
  assert stop.value.code.startswith('error: ') and words in stop.value.code
  assert '\n' not in stop.value.code
  assert len(list(tmp_path.rglob('*'))) == 5


def test_a_script_trains_the_seeds_of_both_arms(
    tiny, tmp_path, monkeypatch, capsys, compiled_once
):
  monkeypatch.setattr('sys.argv', [
      'x.py', '--seeds', '2', '--control', '--workdir', str(tmp_path)
  ])
  with pytest.raises(SystemExit) as stop:
    cli.run(dataclasses.replace(on_toy(tiny), seed=4), '')
  assert stop.value.code == 0
  found = {
      str(path.parent.relative_to(tmp_path)): json.loads(
          (path.parent / 'experiment.json').read_text()
      )['experiment'] for path in tmp_path.rglob('scores.json')
  }
  assert {name: (one['seed'], one['adversary']['weight'])
          for name, one in found.items()} == {
      'seed4': (4, 0.1), 'seed5': (5, 0.1),
      'control/seed4': (4, 0), 'control/seed5': (5, 0),
  }
  assert (tmp_path / 'report.html').exists()
