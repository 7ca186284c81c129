import contextlib
import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from comparison import QUIET
from etils import epath
from miniature import make_method, make_state, same

from adseg_jax.config import Experiment, Update
from adseg_jax.errors import UserError
from adseg_jax.settings import to_json
from adseg_jax.training import checkpoint, parallel, restore
from adseg_jax.training.checkpoint import Checkpoints

EXPERIMENT = Experiment()
METHOD = make_method(update=Update('adam'))


@pytest.fixture(scope='module')
def state():
  return parallel.place(make_state(METHOD, seed=3))


def at(state, step):
  """A state that differs at every step."""
  return state.replace(
      step=state.step + step,
      segmentor=jax.tree.map(lambda x: x + step, state.segmentor),
  )


def save(workdir, state, scores):
  """Saves one checkpoint for each score, at steps 1, 2, ..."""
  with Checkpoints(workdir, EXPERIMENT) as checkpoints:
    for step, score in enumerate(scores, 1):
      checkpoints.save(at(state, step), 10.0 * step,
                       score and {'mean_iou': score})


def kept(workdir):
  return {
      int(path.name) for path in (workdir / 'checkpoints').iterdir()
      if path.name.isdigit()
  }


@pytest.mark.parametrize('scores,expected,best', [
    ([0.1, 0.9, 0.2, None, 0.3, None], {2, 4, 5, 6}, 2),
    ([0.5, None, None, None, None], {1, 3, 4, 5}, 1),
    ([0.1, 0.2, 0.3, 0.4], {2, 3, 4}, 4),
    ([None, None, None, None], {2, 3, 4}, None),
])
def test_the_newest_three_and_the_best_are_kept(
    tmp_path, state, scores, expected, best
):
  save(tmp_path, state, scores)
  assert kept(tmp_path) == expected
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    assert checkpoints.manager.best_step() == best
    # A process that continues keeps to the same rule.
    for step in (7, 8, 9):
      checkpoints.save(at(state, step), 0.0, None)
  assert kept(tmp_path) == {7, 8, 9} | ({best} if best else set())


def test_restored_bits_are_those_that_were_saved(tmp_path, state):
  save(tmp_path, state, [None, 0.5])
  fresh = parallel.place(make_state(METHOD, seed=4))
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    newest, seconds, pending = checkpoints.restore(fresh)
    checkpoints.manager.delete(2)
    first, *_ = checkpoints.restore(fresh)
  assert (seconds, pending) == (20.0, [])
  assert same(newest, at(state, 2)) and same(first, at(state, 1))
  assert not same(newest, at(state, 1))
  assert newest.key.dtype == state.key.dtype
  assert same(jax.random.uniform(newest.key), jax.random.uniform(state.key))
  placed = jax.tree.map(lambda x: x.sharding, (newest, state))
  assert placed[0] == placed[1]


def test_what_is_off_leaves_no_trace(tmp_path, state):
  """So that earlier checkpoints, which know nothing of it, are read."""
  save(tmp_path, state, [None])
  content = json.loads(
      (tmp_path / 'checkpoints/1/state/_METADATA').read_text()
  )
  found = {
      tuple(key['key'] for key in one['key_metadata'])
      for one in content['tree_metadata'].values()
  }
  assert {path[0] for path in found} == {
      'step', 'key', 'segmentor', 'discriminator'
  }
  assert {path[1] for path in found if path[0] == 'segmentor'} == {
      'params', 'model_state', 'optimizer_state'
  }


def test_what_is_on_is_restored_to_the_bit(tmp_path):
  method = dataclasses.replace(make_method(pull=0.2), average=0.5)
  fresh = parallel.place(make_state(method))
  state = parallel.place(fresh.replace(lambda_=jnp.float32(1 / 3)))
  save(tmp_path, state, [None])
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    restored, *_ = checkpoints.restore(fresh)
  assert same(restored, at(state, 1)) and not same(restored, at(fresh, 1))


def test_restore_without_a_checkpoint_is_the_beginning(tmp_path, state):
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    found, seconds, pending = checkpoints.restore(state)
    assert checkpoints.manager.best_step() is None
  assert same(found, state) and (seconds, pending) == (0.0, [])


def test_a_run_moves_to_another_number_of_devices(tmp_path, state):
  save(tmp_path, state, [None])
  few = parallel.place(make_state(METHOD), jax.local_devices()[:2])
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    restored, *_ = checkpoints.restore(few)
  assert same(restored, at(state, 1))
  assert len(restored.key.sharding.device_set) == 2


HERE = Path(__file__).parent
# Of a process that imports what these tests import.
ELSEWHERE = os.environ | {
    'PYTHONPATH': os.pathsep.join(map(str, (HERE, HERE.parent))),
    'JAX_NUM_CPU_DEVICES': '8',
}
# In a process of its own: the threads that a failed restore leaves behind
# print, if they do, whenever they like.
SPOILED = """
import shutil, sys
from pathlib import Path
from adseg_jax.errors import UserError
from test_checkpoint import EXPERIMENT, METHOD, Checkpoints, Update
from test_checkpoint import at, kept, make_method, make_state, parallel, same

state = parallel.place(make_state(METHOD))
wider = make_method(encoding='product', update=Update('adam'))
wider = parallel.place(make_state(wider))

def restore(workdir, state):
  try:
    with Checkpoints(workdir, EXPERIMENT) as checkpoints:
      return checkpoints.restore(state)[0]
  except UserError as error:
    print(workdir.name, error, sep='|')

def spoil(workdir, step, part):
  path = workdir / 'checkpoints' / step / part
  if path.is_dir():
    path = max(path.rglob('*'), key=lambda p: p.stat().st_size)
  path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])

workdir, parts = Path(sys.argv[1]), sys.argv[2:]
for part in parts:
  copy = workdir.with_name(part.replace('/', '-'))
  shutil.copytree(workdir, copy)
  spoil(copy, '2', part)
  assert same(restore(copy, state), at(state, 1))
  assert kept(copy) == {1} and len([*(copy / 'damaged').iterdir()]) == 1
  # The step may be reached, and saved, again.
  with Checkpoints(copy, EXPERIMENT) as checkpoints:
    checkpoints.save(at(state, 2), 0.0, None)
  assert same(restore(copy, state), at(state, 2))

restore(workdir, wider)
assert kept(workdir) == {1, 2}
for step in '12':
  spoil(workdir, step, 'state/d')
restore(workdir, state)
assert kept(workdir) == {1, 2}
"""


def test_of_damaged_checkpoints_the_one_before_is_used(tmp_path, state):
  parts = ('state/d', 'state/_METADATA', 'state/manifest.ocdbt',
           'run/metadata', 'metrics/metrics')
  workdir = tmp_path / 'run'
  save(workdir, parallel.place(make_state(METHOD)), [0.1, 0.2])
  done = subprocess.run(
      [sys.executable, *QUIET, '-c', SPOILED, workdir, *parts],
      capture_output=True, text=True, env=ELSEWHERE,
  )
  assert (done.stderr, done.returncode) == ('', 0)
  *warned, structure, both = done.stdout.splitlines()
  for line, part in zip(warned, parts, strict=True):
    assert line.startswith('warning: the checkpoint of step 2 cannot be read')
    assert str(tmp_path / part.replace('/', '-') / 'damaged') in line
  for line in structure, both:
    assert f"run|{tmp_path / 'run/checkpoints/2'}: " in line
    assert 'nor can one before it' in line


# A limit on the size of files stands for a full disk: no rights are needed.
FULL = """
import resource, sys
from pathlib import Path
from adseg_jax.errors import UserError
from test_checkpoint import EXPERIMENT, METHOD, Checkpoints
from test_checkpoint import at, make_state, parallel

state = parallel.place(make_state(METHOD, seed=3))
with Checkpoints(Path(sys.argv[1]), EXPERIMENT) as checkpoints:
  checkpoints.save(at(state, 1), 1.0, None)
  room = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), room[1]))
  try:
    checkpoints.save(at(state, 2), 2.0, None)
  except UserError as error:
    print(error)
"""


@pytest.mark.parametrize('room', [0, 100, 2000])
def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, state, room):
  done = subprocess.run(
      [sys.executable, *QUIET, '-c', FULL, tmp_path / 'run', str(room)],
      capture_output=True, text=True, env=ELSEWHERE,
  )
  assert (done.stderr, done.returncode) == ('', 0)
  said, = done.stdout.splitlines()
  assert 'step 2 cannot be written (File too large)' in said
  assert 'the last checkpoint is of step 1' in said
  with Checkpoints(tmp_path / 'run', EXPERIMENT) as checkpoints:
    found, seconds, _ = checkpoints.restore(state)
    assert same(found, at(state, 1)) and seconds == 1
    checkpoints.save(at(state, 2), 2.0, None)
    assert same(checkpoints.restore(state)[0], at(state, 2))


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path):
  (tmp_path / 'checkpoints').write_text('')
  with pytest.raises(UserError, match='checkpoints: cannot be used'):
    Checkpoints(tmp_path, EXPERIMENT)


def test_pending_metrics_and_scores_are_kept(tmp_path, state):
  pending = [{'a': np.float32(0.1), 'b': np.float32('nan')}, {'a': 1.0, 'b': 2}]
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    checkpoints.save(at(state, 1), 3.0, None, pending)
    assert not checkpoints.scored(1) and not checkpoints.scored(2)
    checkpoints.save(at(state, 1), 4.0, None)
    _, seconds, found = checkpoints.restore(state)
    assert seconds == 3.0
    np.testing.assert_array_equal(
        [[*line.values()] for line in found],
        np.float64([[np.float32(0.1), np.nan], [1, 2]]),
    )
    checkpoints.save(at(state, 1), 5.0, {'mean_iou': 0.5})
    assert checkpoints.scored(1)
    # The state is the same one: it and what belongs to it stay.
    _, seconds, again = checkpoints.restore(state)
    assert seconds == 3.0 and len(again) == 2


class Killed(BaseException):
  pass


def killed(*_, **__):
  raise Killed


def test_a_kill_before_scores_are_written_leaves_the_checkpoint(
    tmp_path, state, monkeypatch
):
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    checkpoints.save(at(state, 1), 3.0, None)
  for owner, name in (
      (checkpoint.files, 'write'), (type(epath.Path(tmp_path)), 'replace'),
      (ocp.CheckpointManager, 'save'),
  ):
    with monkeypatch.context() as patch, contextlib.suppress(Killed):
      patch.setattr(owner, name, killed)
      with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
        checkpoints.save(at(state, 1), 4.0, {'mean_iou': 0.5})
    half = tmp_path / 'checkpoints/1/metrics/metrics.tmp'
    if half.parent.exists():
      half.write_text('{"mean')
    with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
      assert same(checkpoints.restore(state)[0], at(state, 1))
      assert checkpoints.scored(1) == (name == 'save')


def test_scores_that_are_added_count(tmp_path, state):
  """The best stays, the one that was best does not, all read them."""
  save(tmp_path, state, [0.3, None, None, None])
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    assert kept(tmp_path) == {1, 2, 3, 4}
    checkpoints.save(at(state, 2), 0.0, {'mean_iou': 0.2, 'other': 1.0})
    assert kept(tmp_path) == {1, 2, 3, 4}
    checkpoints.save(at(state, 3), 0.0, {'mean_iou': 0.9})
    assert kept(tmp_path) == {2, 3, 4}
    assert checkpoints.manager.best_step() == 3
    assert same(checkpoints.restore(state)[0], at(state, 4))
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    assert checkpoints.manager.best_step() == 3
    assert checkpoints.manager.metrics(2) == {'mean_iou': 0.2}
    for step in (5, 6, 7):
      checkpoints.save(at(state, step), 0.0, None)
  assert kept(tmp_path) == {3, 5, 6, 7}
  directory = tmp_path / 'checkpoints'
  assert restore._step(directory, 'best', tmp_path) == 3


def test_scores_on_a_full_disk_are_one_line(tmp_path, state, monkeypatch):
  def full(*_):
    raise OSError(errno.ENOSPC, 'No space left on device')

  save(tmp_path, state, [None])
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    monkeypatch.setattr(checkpoint.files, 'write', full)
    with pytest.raises(UserError, match='the scores of step 1 cannot be wr'):
      checkpoints.save(at(state, 1), 0.0, {'mean_iou': 0.5})
    assert same(checkpoints.restore(state)[0], at(state, 1))


def test_what_a_kill_left_half_written_is_ignored(tmp_path, state):
  save(tmp_path, state, [None])
  half = tmp_path / 'checkpoints' / '5.orbax-checkpoint-tmp'
  (half / 'state').mkdir(parents=True)
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    assert same(checkpoints.restore(state)[0], at(state, 1))
    checkpoints.save(at(state, 2), 0.0, None)
  assert kept(tmp_path) == {1, 2}
  assert not half.exists()


def test_the_experiment_is_saved_with_the_state(tmp_path, state):
  save(tmp_path, state, [None])
  content = json.loads((tmp_path / 'checkpoints/1/run/metadata').read_text())
  assert content['experiment'] == json.loads(to_json(EXPERIMENT))
