"""Each fault is injected; what is continued ends in the same bits."""

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import time

import jax
import numpy as np
import pytest
from comparison import SLOWER, assert_equal_runs, final_state, lines, start
from miniature import same
from toy import on_toy

from adseg_jax.data import examples, pipeline
from adseg_jax.data.encoded import Encoded
from adseg_jax.errors import Stopped, UserError
from adseg_jax.evaluation import score
from adseg_jax.training import run
from adseg_jax.training.clock import Clock
from adseg_jax.training.loop import train
from adseg_jax.training.writer import Writer

pytestmark = pytest.mark.usefixtures('compiled_once')


def wait_for_lines(process, workdir, count):
  """Until metrics.jsonl has so many lines, or the process has ended."""
  metrics = workdir / 'metrics.jsonl'
  while process.poll() is None and not (
      metrics.exists() and metrics.read_text().count('\n') >= count
  ):
    time.sleep(0.005)


@pytest.mark.slow
def test_killed_at_any_step(tiny, whole, tmp_path):
  """By SIGKILL, between the first line and the last steps."""
  killed = tmp_path / 'killed'
  process = start(on_toy(tiny), killed, SLOWER.format(0.1))
  wait_for_lines(process, killed, random.randint(1, 4))
  time.sleep(0.2 * random.random())
  process.send_signal(signal.SIGKILL)
  said = process.communicate()
  assert process.returncode == -signal.SIGKILL, said
  assert not (killed / 'scores.json').exists(), 'finished before the kill'
  train(on_toy(tiny), killed)
  assert_equal_runs(on_toy(tiny), killed, whole)


@pytest.mark.slow
@pytest.mark.parametrize('save', [1, 3])
def test_killed_while_a_checkpoint_is_written(tiny, whole, tmp_path, save):
  killed = tmp_path / 'killed'
  process = start(on_toy(tiny), killed, f"""
import os, random, signal, threading
import orbax.checkpoint as ocp
saves, save = [], ocp.CheckpointManager.save

def kill_soon(*args, **options):
  saves.append(1)
  if len(saves) == {save}:
    delay = random.choice((0.002, 0.01, 0.03, 0.1))
    threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
  return save(*args, **options)

ocp.CheckpointManager.save = kill_soon
""")
  said = process.communicate()
  assert process.returncode == -signal.SIGKILL, said
  train(on_toy(tiny), killed)
  assert_equal_runs(on_toy(tiny), killed, whole)


@pytest.mark.slow
def test_sigterm_while_training_saves_and_exits_at_once(tiny, whole, tmp_path):
  told = tmp_path / 'told'
  process = start(on_toy(tiny), told, SLOWER.format(0.4))
  wait_for_lines(process, told, random.randint(1, 3))
  seen = lines(told)[-1]['step']
  time.sleep(0.3 * random.random())
  process.send_signal(signal.SIGTERM)
  said, complaints = process.communicate()
  assert (process.returncode, complaints) == (0, ''), complaints
  last = said.splitlines()[-1]
  assert last.startswith('stopped at step '), said
  assert last.endswith(f'saved in {told}: the same command continues')
  step = int(last.split()[3])
  # The step at hand is the last one; how long that takes is the machine's.
  assert step - seen <= 2
  assert (told / 'checkpoints' / str(step)).exists()
  assert not (told / 'scores.json').exists()
  train(on_toy(tiny), told)
  assert_equal_runs(on_toy(tiny), told, whole)


@pytest.mark.slow
def test_sigterm_before_the_first_step_exits_at_once(tiny, whole, tmp_path):
  """While the step compiles, Python's handlers do not run: the thread's do."""
  told = tmp_path / 'told'
  process = start(on_toy(tiny), told, """
from adseg_jax.training import parallel

def compiling(*_):
  open(sys.argv[2] + '.compiling', 'w').close()
  # Holds the main thread in C, with Python's lock released, as XLA does.
  __import__('hashlib').pbkdf2_hmac('sha256', b'', b'', 10**9)

parallel.make_train_step = lambda *_: compiling
""")
  while process.poll() is None and not told.with_name(
      'told.compiling'
  ).exists():
    time.sleep(0.005)
  begun = time.monotonic()
  process.send_signal(signal.SIGTERM)
  said, complaints = process.communicate()
  assert time.monotonic() - begun < 10
  assert (process.returncode, complaints) == (0, '')
  assert 'stopped before the first step' in said
  train(on_toy(tiny), told)
  assert_equal_runs(on_toy(tiny), told, whole)


@pytest.mark.parametrize('image,step', [(1, 3), (7, 6)])
def test_sigterm_during_an_evaluation(
    tiny, whole, tmp_path, monkeypatch, image, step
):
  """The evaluation is done again, and its checkpoint has its scores."""
  counted = []

  def killing(*args):
    for item in compared(*args):
      counted.append(1)
      if len(counted) == image:  # of five in each evaluation
        os.kill(os.getpid(), signal.SIGTERM)
      yield item

  compared = score.compared
  with monkeypatch.context() as patch, pytest.raises(
      Stopped, match=f'stopped at step {step} of 6, saved in .*continues'
  ):
    patch.setattr(score, 'compared', killing)
    train(on_toy(tiny), tmp_path)
  assert not (tmp_path / 'scores.json').exists()
  train(on_toy(tiny), tmp_path)
  assert_equal_runs(on_toy(tiny), tmp_path, whole)
  kept = {
      path.parents[1].name
      for path in (tmp_path / 'checkpoints').glob('*/metrics/metrics')
  }
  assert kept == {'3', '6'}


def test_sigterm_between_lines_loses_no_metrics(tiny, whole, tmp_path):
  """The next line is a mean over the steps before and after the stop."""
  with pytest.raises(Stopped), pytest.MonkeyPatch.context() as patch:
    write = Writer.write

    def writing(writer, step, *args):
      write(writer, step, *args)
      # Step 5 has no line, no evaluation and no checkpoint.
      if step == 4:
        patch.setattr(Clock, 'step', stepping)

    def stepping(clock):
      os.kill(os.getpid(), signal.SIGTERM)
      counted(clock)

    counted = Clock.step
    patch.setattr(Writer, 'write', writing)
    train(on_toy(tiny), tmp_path)
  assert final_state(on_toy(tiny), tmp_path).step == 5
  assert lines(tmp_path)[-1]['step'] == 4
  train(on_toy(tiny), tmp_path)
  assert_equal_runs(on_toy(tiny), tmp_path, whole)


@pytest.mark.parametrize('part', ['state/d', 'run/metadata', 'metrics/metrics'])
def test_a_truncated_checkpoint(tiny, whole, tmp_path, capfd, part):
  shutil.copytree(whole, tmp_path / 'run')
  workdir = tmp_path / 'run'
  (workdir / 'scores.json').unlink()
  path = workdir / 'checkpoints' / '6' / part
  if path.is_dir():
    path = max(path.rglob('*'), key=lambda p: p.stat().st_size)
  path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
  train(on_toy(tiny), workdir)
  assert 'the checkpoint of step 6 cannot be read' in capfd.readouterr().out
  assert_equal_runs(on_toy(tiny), workdir, whole)


def test_a_corrupt_image_among_good_ones(tiny, whole, tmp_path, monkeypatch):
  """It is named, and the steps before it are saved."""
  def loading(dataset, split, data):
    found = load(dataset, split, data)
    if split != 'train':
      return found
    # Step 5 meets it for the first time: 8 examples a step, 11 an epoch.
    seen = {int(pipeline.shuffled(p, 11, 0)) for p in range(8)}
    broken = next(i for i in range(11) if i not in seen)
    names.append(found.names[broken])
    images = list(found.images)
    images[broken] = images[broken][:-40]
    # As `examples.load` has it: another file, another digest.
    return dataclasses.replace(
        found, images=Encoded(images), digest='another'
    )

  load, names = examples.load, []
  with monkeypatch.context() as patch, pytest.raises(UserError) as caught:
    patch.setattr(examples, 'load', loading)
    train(on_toy(tiny), tmp_path)
  message = str(caught.value)
  assert f'example {names[0]} cannot be decoded' in message
  assert '\n' not in message
  assert f'is saved in {tmp_path}' in message
  saved = int(message.split('; step ')[1].split()[0])
  assert final_state(on_toy(tiny), tmp_path).step == saved
  # The file that replaces it is another one.
  assert '--amend' in message
  with pytest.raises(UserError, match=f'{names[0]} differs'):
    train(on_toy(tiny), tmp_path)
  train(on_toy(tiny), tmp_path, amend=True)
  assert_equal_runs(on_toy(tiny), tmp_path, whole)


def poison(monkeypatch, steps):
  """Batches of these steps, 1 the first, hold a nan."""
  batches = pipeline.train_batches

  def poisoned(*args, start=0, **options):
    for step, batch in enumerate(
        batches(*args, start=start, **options), start + 1
    ):
      if step in steps:
        batch = batch | {'image': batch['image'] * np.float32('nan')}
      yield batch

  monkeypatch.setattr(pipeline, 'train_batches', poisoned)


def test_a_nan_is_dropped_counted_and_logged(
    tiny, tmp_path, monkeypatch, capfd
):
  poison(monkeypatch, {2, 5})
  train(on_toy(tiny), tmp_path)
  found = [line for line in lines(tmp_path) if line['kind'] == 'train']
  assert [line['dropped'] for line in found] == [1, 0, 0, 1]
  assert all(None not in line.values() for line in found)
  said = capfd.readouterr().out
  assert 'not finite, update dropped: step 2\n' in said
  assert 'not finite, update dropped: step 5\n' in said
  state = final_state(on_toy(tiny), tmp_path)
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(
      (state.segmentor, state.discriminator)
  ))


def test_ten_in_a_row_stop_the_run(tiny, tmp_path, monkeypatch):
  long = on_toy(tiny, steps=20)
  short = on_toy(tiny, steps=4)
  poison(monkeypatch, range(5, 21))
  with pytest.raises(UserError, match='steps 5 to 14') as caught:
    train(long, tmp_path / 'long')
  assert '\n' not in str(caught.value)
  # The last checkpoint holds what the last good step left.
  train(short, tmp_path / 'short')
  ours, good = (
      final_state(e, tmp_path / name)
      for e, name in ((long, 'long'), (short, 'short'))
  )
  assert 4 <= ours.step <= 14
  assert same(ours.segmentor.params, good.segmentor.params)


def test_a_second_run_in_the_same_workdir_is_refused(tiny, tmp_path):
  with run.alone(tmp_path):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match='another run is in it') as caught:
      train(on_toy(tiny), tmp_path)
    assert f'process {os.getpid()} on' in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before
  # What a killed process leaves behind does not lock.
  killed = subprocess.run(['sh', '-c', 'kill -9 $$'], check=False)
  assert killed.returncode == -signal.SIGKILL
  with run.alone(tmp_path):
    pass


@pytest.mark.slow
def test_a_full_disk_during_a_run(tiny, whole, tmp_path):
  """A limit on the size of files stands for the disk."""
  workdir = tmp_path / 'full'
  process = start(on_toy(tiny), workdir, """
import resource
from adseg_jax.training.checkpoint import Checkpoints
save = Checkpoints.save

def saving(*args, **options):
  save(*args, **options)
  resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))

Checkpoints.save = saving
""")
  _, complaints = process.communicate()
  assert process.returncode == 1
  assert complaints.startswith('error: ') and complaints.count('\n') == 1
  assert 'File too large' in complaints and 'the same command' in complaints
  assert (workdir / 'checkpoints' / '2').exists()
  train(on_toy(tiny), workdir)
  assert_equal_runs(on_toy(tiny), workdir, whole)
  assert json.loads((workdir / 'scores.json').read_text())['step'] == 6
