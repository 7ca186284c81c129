"""The whole method in one file says what the library says."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest
from miniature import assert_close

from adseg_jax.config import Adversary, Optimizer, Update
from adseg_jax.method.method import Method
from adseg_jax.method.state import initialize
from adseg_jax.method.step import gradients, train_step
from adseg_jax.method.turns import Turn

SCRIPT = Path(__file__).parents[1] / 'experiments' / 'toy.py'
ALL = Turn(segmentor=True, discriminator=True, adversary=True)


@pytest.fixture(scope='module')
def toy():
  spec = importlib.util.spec_from_file_location('toy_script', SCRIPT)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.fixture(scope='module')
def method(toy):
  return Method(
      toy.s, toy.a, Adversary(weight=toy.LAMBDA),
      Optimizer(toy.STEPS, Update('adam', 3e-3), Update(
          'adam', 3e-4, momentum=0.5
      )),
  )


@pytest.fixture(scope='module')
def start(toy, method):
  """The toy's networks and moments, and the library's state with them."""
  networks, moments = jax.jit(toy.initial, static_argnums=0)(0)
  state = initialize(jax.random.key(1), method, (toy.CROP, toy.CROP))
  segmentor, discriminator = (n['params'] for n in networks)
  return networks, moments, state.replace(
      segmentor=state.segmentor.replace(params=segmentor),
      discriminator=state.discriminator.replace(params=discriminator),
  )


def crops(toy, number):
  """Noise, a tenth of it void."""
  rng = np.random.default_rng(number)
  size = 2, toy.CROP, toy.CROP
  labels = rng.integers(0, len(toy.CLASSES), size).astype(np.int32)
  labels[rng.random(size) < 0.1] = toy.VOID
  return rng.random((*size, 3), np.float32), labels


def test_losses_and_gradients(toy, method, start):
  networks, _, state = start
  x, labels = crops(toy, 0)

  @jax.jit
  def pulled(networks):
    both, pull = jax.vjp(lambda *n: toy.losses(*n, x, labels), *networks)
    return both, pull((1.0, 0.0))[0], pull((0.0, 1.0))[1]

  found, theirs, *_ = jax.jit(
      lambda state, batch: gradients(state, batch, method, ALL, None)
  )(state, {'image': x, 'label': labels})
  both, segmentor, discriminator = pulled(networks)
  np.testing.assert_allclose(both, theirs, rtol=1e-5)
  assert_close(segmentor['params'], found['segmentor'], 1e-5)
  assert_close(discriminator['params'], found['discriminator'], 1e-5)


def test_ten_steps(toy, method, start):
  networks, moments, state = start
  step = jax.jit(lambda state, batch: train_step(state, batch, method=method))
  for number in range(10):
    x, labels = crops(toy, number)
    networks, moments, both = toy.step(networks, moments, x, labels)
    state, metrics = step(state, {'image': x, 'label': labels})
    np.testing.assert_allclose(
        both[1], metrics['discriminator_loss'], rtol=1e-5
    )
  assert_close(networks[0]['params'], state.segmentor.params, 1e-5)
  assert_close(networks[1]['params'], state.discriminator.params, 1e-5)


def test_tiles_and_crops_are_whole_and_repeat(toy):
  training, validation = toy.tiles('train'), toy.tiles('validation')
  assert [len(images) for images, _ in (training, validation)] == [210, 90]
  one, other = toy.batch(*training, 3, 7), toy.batch(*training, 3, 7)
  assert one[0].shape == (toy.BATCH, toy.CROP, toy.CROP, 3)
  assert all(map(np.array_equal, one, other))
  assert not np.array_equal(one[0], toy.batch(*training, 3, 8)[0])


def test_mean_iou(toy):
  labels = np.arange(len(toy.CLASSES))
  predictions = labels.copy()
  predictions[0] = 1
  # 0 is never found, half of 1 is right, the others are.
  assert toy.mean_iou(predictions, labels) == pytest.approx(4.5 / 6)
