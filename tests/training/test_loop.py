import dataclasses
import gzip
import json
import sys

import jax
import numpy as np
import pytest
import toy
from comparison import (
    Stop,
    assert_equal_runs,
    final_state,
    lines,
    scores,
    start,
    stopped_at,
)
from miniature import same
from PIL import Image
from toy import on_toy

from adseg_jax import environment
from adseg_jax.commands import cli
from adseg_jax.data import dataset as datasets
from adseg_jax.errors import UserError
from adseg_jax.evaluation import predict
from adseg_jax.method.method import make_method
from adseg_jax.method.state import initialize
from adseg_jax.training import loop, run, scoring, session, tracing
from adseg_jax.training.checkpoint import Checkpoints
from adseg_jax.training.loop import train
from adseg_jax.training.writer import Writer

pytestmark = pytest.mark.usefixtures('compiled_once')


def files(workdir):
  return {
      path.relative_to(workdir): (path.stat().st_mtime_ns, path.read_bytes())
      for path in workdir.rglob('*')
      if path.is_file() and path.name != run.LOCK
  }


def test_lines_evaluations_and_checkpoints_come_when_they_should(tiny, whole):
  assert [(line['step'], line['kind']) for line in lines(whole)] == [
      (2, 'train'), (3, 'train'), (3, 'validation'), (4, 'train'),
      (6, 'train'), (6, 'validation'),
  ]
  best = max((line['mean_iou'], -line['step']) for line in lines(whole)
             if line['kind'] == 'validation')
  with Checkpoints(whole, on_toy(tiny)) as checkpoints:
    assert {*checkpoints.manager.all_steps()} == {3, 4, 6}
    assert checkpoints.manager.best_step() == -best[1]
  assert final_state(on_toy(tiny), whole).step == 6


def test_a_line_is_the_mean_over_its_steps(tiny, whole, tmp_path):
  """The same run with a line for each step."""
  logging = dataclasses.replace(tiny.logging, every=1)
  train(dataclasses.replace(on_toy(tiny), logging=logging), tmp_path)
  single = [line for line in lines(tmp_path) if line['kind'] == 'train']
  assert [line['step'] for line in single] == [1, 2, 3, 4, 5, 6]
  means = [line for line in lines(whole) if line['kind'] == 'train']
  for line, part in zip(
      means, (single[:2], single[2:3], single[3:4], single[4:]), strict=True
  ):
    assert line['images_seen'] == line['step'] * tiny.data.batch
    for name in line.keys() - {'step', 'kind', 'images_seen'}:
      mean = np.mean([other[name] for other in part])
      np.testing.assert_allclose(line[name], mean, rtol=1e-6)
  assert same(final_state(on_toy(tiny), whole),
              final_state(on_toy(tiny), tmp_path))


def test_turns_change_while_a_run_goes_and_where_it_continues(tiny, tmp_path):
  """Segmentor alone; two steps of it, two of the adversary; the segmentor."""
  experiment = dataclasses.replace(
      on_toy(tiny), adversary=dataclasses.replace(
          tiny.adversary, start=1, alternate_every=2
      ),
  )
  train(experiment, tmp_path / 'undisturbed')
  with stopped_at(Checkpoints, 'save', 4):  # between two steps of a turn
    train(experiment, tmp_path / 'stopped')
  train(experiment, tmp_path / 'stopped')
  assert_equal_runs(
      experiment, tmp_path / 'stopped', tmp_path / 'undisturbed'
  )
  found = {
      line['step']: line for line in lines(tmp_path / 'undisturbed')
      if line['kind'] == 'train'
  }
  # The lines of steps 1 and 2, 3, 4, 5 and 6: the mean where it is known.
  for step, line in found.items():
    unknown = {name for name, value in line.items() if value is None}
    assert unknown == ({'gradient_ratio'} if step == 4 else set()), step
  norms = [found[step]['discriminator_gradient_norm'] for step in (2, 3, 4, 6)]
  assert [norm > 0 for norm in norms] == [False, False, True, True]


@pytest.mark.parametrize('owner,name,call,start', [
    (Checkpoints, 'save', 1, 0), (Checkpoints, 'save', 2, 2),
    (Checkpoints, 'save', 3, 3), (Writer, 'write', 5, 4),
    (Checkpoints, 'save', 4, 4), (scoring, 'write_panels', 1, 6),
    (run, 'write_json', 2, 6),
], ids=['nothing saved', 'evaluated but not saved', 'after an evaluation',
        'between checkpoints', 'all steps done', 'all saved',
        'all but the scores'])
def test_stopped_and_continued_ends_in_the_same_bits(
    tiny, whole, tmp_path, monkeypatch, owner, name, call, start
):
  starts = []
  with stopped_at(owner, name, call):
    train(on_toy(tiny), tmp_path)
  assert not (tmp_path / 'scores.json').exists()
  monkeypatch.setattr(session, 'Writer', lambda workdir, steps, start: (
      starts.append(start), Writer(workdir, steps, start)
  )[1])
  train(on_toy(tiny), tmp_path)
  assert starts == [start]
  assert_equal_runs(on_toy(tiny), tmp_path, whole)


def test_a_traced_run_is_the_same_run(tiny, whole, tmp_path, capfd):
  """Step 4 is traced; its checkpoint, and that of step 6, are not."""
  train(on_toy(tiny), tmp_path, profile=True)
  folder = tmp_path / tracing.FOLDER
  assert f'Traced steps 4 to 4: {folder}' in capfd.readouterr().out
  (path,) = folder.glob('plugins/profile/*/perfetto_trace.json.gz')
  events = json.loads(gzip.decompress(path.read_bytes()))['traceEvents']
  steps = [event for event in events if event.get('name') == 'step']
  assert [int(event['args']['step_num']) for event in steps] == [4]
  assert len([*path.parent.glob('*.xplane.pb')]) == 1
  assert_equal_runs(on_toy(tiny), tmp_path, whole)
  assert not (whole / tracing.FOLDER).exists()
  train(on_toy(tiny), tmp_path, profile=True)
  assert 'is finished: no step is left to trace' in capfd.readouterr().out


def test_another_seed_is_another_run(tiny, whole, tmp_path):
  train(dataclasses.replace(on_toy(tiny), seed=1), tmp_path)
  for one, other in zip(lines(whole), lines(tmp_path), strict=True):
    assert one['pixel_accuracy'] != other['pixel_accuracy']


def test_the_seed_reaches_the_key_and_the_stream(tiny, tmp_path, monkeypatch):
  from adseg_jax.data import pipeline

  seen = {}

  class Start:
    """What the loop starts from: the compiled function of the state."""

    eval_shape = initialize.eval_shape

    def __call__(self, key, *others):
      seen['key'] = key
      return initialize(key, *others)

  def stop(*_, **options):
    seen.update(options)
    raise Stop

  monkeypatch.setattr(loop, 'initialize', Start())
  monkeypatch.setattr(pipeline, 'train_batches', stop)
  with pytest.raises(Stop):
    train(dataclasses.replace(on_toy(tiny), seed=5), tmp_path)
  assert same(seen['key'], jax.random.key(5))
  assert (seen['seed'], seen['start'], seen['steps']) == (5, 0, 6)


def test_the_scores_are_those_of_the_last_state(tiny, whole):
  content = scores(whole)
  last = lines(whole)[-1]
  assert content['step'] == 6 and content['images'] == 5
  for name in ('pixel_accuracy', 'class_accuracy', 'mean_iou'):
    assert content[name] == last[name]
  names = [row['name'] for row in content['classes']]
  assert names == ['low', 'middle', 'high']
  pixels = [row['pixels'] for row in content['classes']]
  assert np.sum(content['confusion'], 1).tolist() == pixels
  truths = [np.asarray(Image.open(p)) for p in whole.glob('panels/*truth.png')]
  assert sum((truth != 255).sum() for truth in truths) <= sum(pixels)


def test_a_finished_workdir_is_left_as_it_is(tiny, whole):
  before = files(whole)
  train(on_toy(tiny), whole)
  assert files(whole) == before


@pytest.mark.parametrize('change,words', [
    (lambda e: dataclasses.replace(e, seed=5), 'seed is 0 there, 5 here'),
    (lambda e: on_toy(e, steps=7), 'optimizer.steps is 6 there, 7 here'),
    (lambda e: dataclasses.replace(
        e, data=dataclasses.replace(e.data, crop=(32, 36))
    ), r'data.crop is \[32, 32\] there, \[32, 36\] here'),
])
def test_another_experiment_is_refused_and_changes_nothing(
    tiny, whole, change, words
):
  before = files(whole)
  with pytest.raises(UserError, match=words) as caught:
    train(change(on_toy(tiny)), whole)
  message = str(caught.value)
  assert str(whole) in message and '\n' not in message
  assert files(whole) == before


def test_the_same_run_may_move_to_another_machine(tiny, whole):
  data = dataclasses.replace(
      on_toy(tiny).data, prepared='/elsewhere', root='/mnt'
  )
  before = files(whole)
  train(dataclasses.replace(tiny, data=data), whole)
  assert files(whole) == before


def test_an_unreadable_checkpoint_changes_nothing(
    tiny, whole, tmp_path, monkeypatch
):
  def fail(*_, **__):
    raise ValueError('DATA_LOSS')

  with monkeypatch.context() as patch, pytest.raises(Stop):
    patch.setattr(
        scoring, 'write_panels', lambda *_: (_ for _ in ()).throw(Stop)
    )
    train(on_toy(tiny), tmp_path)
  before = files(tmp_path)
  manager = 'orbax.checkpoint.CheckpointManager.restore'
  with monkeypatch.context() as patch:
    patch.setattr(manager, fail)
    patch.setattr(sys, 'unraisablehook', sys.unraisablehook)
    with pytest.raises(UserError, match=r'checkpoints/6: .* \(ValueError\)'):
      train(on_toy(tiny), tmp_path)
  assert files(tmp_path) == before


@pytest.mark.slow
def test_earth_writes_everything_that_a_run_has(
    tiny, tmp_path, monkeypatch, capfd
):
  def part():
    image, label, caption = overview()
    return image[900:1200, 2700:3100], label[900:1200, 2700:3100], caption

  earth = datasets.find(tiny.data)
  overview = earth.overview
  small = dataclasses.replace(earth, overview=part)
  monkeypatch.setattr(datasets, 'find', lambda data: small)
  monkeypatch.setattr(predict, 'WINDOW', (192, 192))  # fewer pixels of blanks
  train(tiny, tmp_path)
  assert {path.name for path in tmp_path.iterdir()} == {
      '.lock', 'checkpoints', 'examples.json', 'experiment.json',
      'metrics.jsonl', 'overview', 'panels', 'scores.json', 'scores_test.json',
      'tensorboard',
  }
  content = scores(tmp_path)
  assert content['images'] == 90
  assert np.sum(content['confusion']) == 90 * 128 * 128
  saved = json.loads((tmp_path / 'experiment.json').read_text())
  assert saved['experiment']['optimizer']['steps'] == 6
  assert saved['versions']['jax'] == jax.__version__
  assert len(list((tmp_path / 'panels').iterdir())) == 2 * 3
  shown = {p.name for p in (tmp_path / 'overview').iterdir()}
  assert shown == {'image.jpg', 'truth.png', 'prediction.png', 'caption.txt'}
  printed = capfd.readouterr()
  assert 'step 6/6' in printed.out and not printed.err


# Of a default that the package's tables do not have, as in anybody's script.
@pytest.mark.filterwarnings('ignore:The field .* is annotated:UserWarning')
def test_a_script_trains_both_arms_and_compares(
    tiny, tmp_path, monkeypatch, capsys
):
  argv = ['x.py', '--control', '--seed', '4', '--workdir', str(tmp_path),
          '--profile']
  monkeypatch.setattr('sys.argv', argv)
  with pytest.raises(SystemExit) as stop:
    cli.run(on_toy(tiny), '')
  assert stop.value.code == 0
  found = {
      str(path.parent.relative_to(tmp_path)): json.loads(
          (path.parent / 'experiment.json').read_text()
      )['experiment'] for path in tmp_path.rglob('scores.json')
  }
  assert {name: (one['seed'], one['adversary']['weight'])
          for name, one in found.items()} == {'.': (4, 0.1), 'control': (4, 0)}
  said = capsys.readouterr().out
  assert f'Report: {tmp_path}/report.html' in said and 'tiny-control' in said
  assert (tmp_path / 'report.html').exists()
  assert (tmp_path / 'profile').exists()
  assert (tmp_path / 'control' / 'profile').exists()


# Says at the end how many programs were compiled, and how many were found.
COUNTED = """
import atexit, collections, jax
counts, names = collections.Counter(), ('cache_misses', 'cache_hits')
jax.monitoring.register_event_listener(
    lambda event, **_: counts.update([event.split('/')[-1]])
)
atexit.register(lambda: print(*(counts[name] for name in names)))
"""


@pytest.mark.slow
def test_a_second_start_compiles_nothing_and_ends_in_the_same_bits(
    tiny, tmp_path, monkeypatch
):
  monkeypatch.setenv('JAX_COMPILATION_CACHE_DIR', str(tmp_path / 'programs'))
  monkeypatch.setenv('JAX_ENABLE_COMPILATION_CACHE', 'true')
  # As the commands prepare it, and undone after the test.
  monkeypatch.setenv('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '')
  monkeypatch.delenv('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS')
  environment.prepare()
  said = []
  for name in 'first', 'second':
    process = start(on_toy(tiny), tmp_path / name, COUNTED, devices=1)
    out, err = process.communicate()
    assert (err, process.returncode) == ('', 0)
    said.append([int(word) for word in out.splitlines()[-1].split()])
  (compiled, _), (again, found) = said
  assert compiled > 5
  assert (again, found) == (0, compiled)
  assert_equal_runs(on_toy(tiny), tmp_path / 'first', tmp_path / 'second')


def test_given_class_weights_are_those_of_the_loss(tiny):
  method = make_method(tiny, 3)
  data = dataclasses.replace(tiny.data, class_weights=('middle=3',))
  found = loop._balanced(method, None, toy.DATASET, data)
  assert found.class_weights == (1, 3, 1)
  assert loop._balanced(method, None, toy.DATASET, tiny.data) == method
