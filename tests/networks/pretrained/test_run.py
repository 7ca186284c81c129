"""Weights in a run: taken before the first step, never again."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest
from numpy_vgg import weights
from toy import on_toy
from weight_files import write_h5

from adseg_jax.config import Segmentor
from adseg_jax.data import dataset as datasets
from adseg_jax.errors import UserError
from adseg_jax.method.method import make_method
from adseg_jax.method.state import init_state
from adseg_jax.networks import pretrained
from adseg_jax.networks.pretrained.load import fit
from adseg_jax.training import loop, run, scoring
from adseg_jax.training.checkpoint import Checkpoints

WIDTH = 1 / 64


@pytest.fixture
def borrowing(tiny, tmp_path, monkeypatch):
  """A run of two steps on frozen convolutions of a file."""
  monkeypatch.setitem(datasets.MODULES, 'toy', 'toy')
  tiny = on_toy(tiny)
  path = tmp_path / 'vgg.h5'
  write_h5(path, weights('keras', WIDTH))
  optimizer = dataclasses.replace(
      tiny.optimizer, steps=2, segmentor=dataclasses.replace(
          tiny.optimizer.segmentor, frozen=('vgg',), weight_decay=0.1,
          new_layers_factor=10.0,
      ),
  )
  return path, dataclasses.replace(
      tiny, optimizer=optimizer,
      adversary=dataclasses.replace(tiny.adversary, weight=0.0),
      segmentor=Segmentor(name='fcn16s', width=WIDTH, weights=str(path)),
  )


def last_state(experiment, workdir):
  method = make_method(experiment, 3)
  start = jax.jit(init_state, static_argnums=(1, 2))
  state = start(
      jax.random.key(experiment.seed), method, experiment.data.crop
  )
  with Checkpoints(workdir, experiment) as checkpoints:
    return checkpoints.restore(state)[0]


def test_a_run_starts_with_the_weights_and_continues_without_the_file(
    borrowing, tmp_path, monkeypatch, capsys
):
  path, experiment = borrowing
  # Files of this test have the tiny network's shapes.
  monkeypatch.setattr(
      pretrained, 'load', lambda weights, _, network: fit(
          Path(weights), network.params
      )
  )
  monkeypatch.setattr(scoring, 'write_overview', lambda *_: None)
  workdir = tmp_path / 'run'
  loop.train(experiment, workdir)
  arrays = weights('keras', WIDTH)
  state = last_state(experiment, workdir)
  assert int(state.step) == 2
  network = state.segmentor
  np.testing.assert_array_equal(
      network.params['vgg']['conv4_2']['kernel'], arrays['block4_conv2/kernel']
  )
  np.testing.assert_array_equal(
      network.model_state['constants']['vgg']['mean'],
      np.float32(np.array([123.68, 116.779, 103.939]) / 255),
  )
  started = arrays['fc2/kernel'].reshape(network.params['fc7']['kernel'].shape)
  moved = network.params['fc7']['kernel'] - started
  assert 0 < np.abs(moved).max() < 0.1
  assert 'new layers: ' in capsys.readouterr().out

  # Past the restored checkpoint, the next thing is an evaluation.
  def evaluate(*_):
    raise EOFError

  monkeypatch.setattr(scoring, 'total', evaluate)
  path.unlink()
  (workdir / run.SCORES).unlink()
  with pytest.raises(EOFError):
    loop.train(experiment, workdir)


@pytest.mark.parametrize('change,expected', [
    ({'weights': 'nowhere.pth', 'width': 1.0}, 'nowhere.pth: no such file'),
    ({'width': 0.5}, '--segmentor.width is 0.5'),
    ({'name': 'multiscale'}, 'there are none for MultiScale'),
])
def test_what_does_not_fit_leaves_no_workdir(
    borrowing, tmp_path, change, expected
):
  _, experiment = borrowing
  experiment = dataclasses.replace(
      experiment,
      segmentor=dataclasses.replace(experiment.segmentor, **change),
      optimizer=dataclasses.replace(
          experiment.optimizer, segmentor=dataclasses.replace(
              experiment.optimizer.segmentor, frozen=(), new_layers_factor=1.0
          ),
      ),
  )
  with pytest.raises(UserError, match=expected):
    loop.train(experiment, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()
