import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from miniature import make_method, make_state, same

from adseg_jax.config import Experiment, Update, to_json
from adseg_jax.training import parallel
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
    assert checkpoints.best_step() == best
    # A process that continues keeps to the same rule.
    for step in (7, 8, 9):
      checkpoints.save(at(state, step), 0.0, None)
  assert kept(tmp_path) == {7, 8, 9} | ({best} if best else set())


def test_restored_bits_are_those_that_were_saved(tmp_path, state):
  save(tmp_path, state, [None, 0.5])
  fresh = parallel.place(make_state(METHOD, seed=4))
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    newest, seconds = checkpoints.restore(fresh)
    first, _ = checkpoints.restore(fresh, step=1)
  assert seconds == 20.0
  assert same(newest, at(state, 2)) and same(first, at(state, 1))
  assert not same(newest, at(state, 1))
  assert newest.key.dtype == state.key.dtype
  assert same(jax.random.uniform(newest.key), jax.random.uniform(state.key))
  placed = jax.tree.map(lambda x: x.sharding, (newest, state))
  assert placed[0] == placed[1]


def test_restore_without_a_checkpoint_is_the_beginning(tmp_path, state):
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    found, seconds = checkpoints.restore(state)
    assert checkpoints.best_step() is None
  assert same(found, state) and seconds == 0.0


def test_a_run_moves_to_another_number_of_devices(tmp_path, state):
  save(tmp_path, state, [None])
  few = parallel.place(make_state(METHOD), jax.local_devices()[:2])
  with Checkpoints(tmp_path, EXPERIMENT) as checkpoints:
    restored, _ = checkpoints.restore(few)
  assert same(restored, at(state, 1))
  assert len(restored.key.sharding.device_set) == 2


# In a process of its own: the threads that a failed restore leaves behind
# print, if they do, whenever they like.
SPOILED = """
import shutil, sys
from pathlib import Path
from adseg_jax.errors import UserError
from test_checkpoint import EXPERIMENT, METHOD, Checkpoints, Update
from test_checkpoint import at, make_method, make_state, parallel, same

state = parallel.place(make_state(METHOD))
wider = make_method(encoding='product', update=Update('adam'))
wider = parallel.place(make_state(wider))

def restore(workdir, state):
  try:
    with Checkpoints(workdir, EXPERIMENT) as checkpoints:
      return checkpoints.restore(state)[0]
  except UserError as error:
    print(workdir.name, error, sep='|')

workdir, parts = Path(sys.argv[1]), sys.argv[2:]
for part in parts:
  copy = workdir.with_name(part.replace('/', '-'))
  shutil.copytree(workdir, copy)
  path = copy / 'checkpoints' / '2' / part
  if path.is_dir():
    path = max(path.rglob('*'), key=lambda p: p.stat().st_size)
  path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
  restore(copy, state)
  # What the message advises.
  (copy / 'checkpoints' / '2').rename(copy / 'broken')
  assert same(restore(copy, state), at(state, 1))

(workdir / 'checkpoints' / '7').mkdir()
restore(workdir, state)
(workdir / 'checkpoints' / '7').rmdir()
restore(workdir, wider)
"""


def test_a_checkpoint_that_cannot_be_read_is_one_line_that_names_it(
    tmp_path, state
):
  parts = ('state/d', 'state/_METADATA', 'state/manifest.ocdbt',
           'run/metadata', 'metrics/metrics')
  workdir = tmp_path / 'run'
  save(workdir, parallel.place(make_state(METHOD)), [0.1, 0.2])
  done = subprocess.run(
      [sys.executable, '-c', SPOILED, workdir, *parts],
      capture_output=True, text=True, env=os.environ | {
          'PYTHONPATH': str(Path(__file__).parent), 'JAX_NUM_CPU_DEVICES': '8',
      },
  )
  assert (done.stderr, done.returncode) == ('', 0)
  said = [line.split('|') for line in done.stdout.splitlines()]
  for (name, message), (folder, wanted) in zip(said, [
      *((part.replace('/', '-'), 'checkpoints/2: ') for part in parts[:-1]),
      ('metrics-metrics', 'checkpoints: '),
      ('run', 'checkpoints/7: '), ('run', 'checkpoints/2: '),
  ], strict=True):
    assert name == folder
    assert message.startswith(str(tmp_path / folder / wanted)), message


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
