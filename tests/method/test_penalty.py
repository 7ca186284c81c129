"""R1: by hand, by differences, and when it is due."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from miniature import (
    CLASSES,
    PLAIN,
    assert_close,
    make_batch,
    make_method,
    make_state,
)

from adseg_jax.config import Adversary
from adseg_jax.method.encodings import one_hot
from adseg_jax.method.forward import judge
from adseg_jax.method.penalty import r1
from adseg_jax.method.step import train_step
from adseg_jax.method.turns import Turn, turns
from adseg_jax.networks.discriminators import Patch
from adseg_jax.networks.segmentors import downsample_labels

DUE, NOT_DUE = Turn(True, True, True, True), Turn(True, True, True)


class Square(nn.Module):
  """slope / 2 sum y^2 of a map: its gradient is slope y."""

  @nn.compact
  def __call__(self, maps, images):
    del images
    slope = self.param('slope', lambda _: jnp.float32(3))
    return 0.5 * slope * (maps**2).sum((1, 2, 3))


def steps(method, turn):
  step = jax.jit(functools.partial(train_step, method=method, turn=turn))
  return step(make_state(method), make_batch())


def test_by_hand():
  """One-hot maps: |3 y|^2 is 9 for each pixel that has a class."""
  labels = downsample_labels(make_batch()['label'], 4)
  pixels = (labels != 255).sum((1, 2)).mean()
  method = make_method(discriminator=Square(), r1=0.5, r1_every=4)
  (with_it, metrics), (without, others) = (
      steps(method, turn) for turn in (DUE, NOT_DUE)
  )
  np.testing.assert_allclose(metrics['r1'], 9 * pixels, rtol=1e-6)
  assert np.isnan(others['r1'])
  for name in ('discriminator_loss', 'adversarial_loss', 'gradient_ratio'):
    np.testing.assert_allclose(metrics[name], others[name], rtol=1e-6)
  # 0.5 / 2 * 4 * slope^2 pixels: its derivative by the slope, 3, is 6 pixels.
  change = (
      without.discriminator.params['slope']
      - with_it.discriminator.params['slope']
  )
  np.testing.assert_allclose(
      change, PLAIN.learning_rate * 6 * pixels, rtol=1e-4
  )
  assert_close(with_it.segmentor.params, without.segmentor.params, 1e-6)


@pytest.mark.parametrize('options', [
    {}, {'encoding': 'product'}, {'discriminator': Patch(width=0.02)},
], ids=['per image', 'product', 'per pixel'])
def test_it_is_the_squared_slope(options):
  """By central differences, one number of the map at a time."""
  method = make_method(r1=2.0, r1_every=3, **options)
  state, batch = make_state(method), make_batch(count=1)
  y = one_hot(downsample_labels(batch['label'], 4), CLASSES)


  @jax.jit
  def both(state):
    a = judge(state.discriminator.params, batch['image'], state, method)

    def slope(direction):
      direction = direction.reshape(y.shape)
      up, down = (a(y + far * direction)[0].mean() for far in (0.01, -0.01))
      return (up - down) / 0.02

    value, _ = r1(a, y, jnp.mean, method.adversary, True)
    return value, jax.lax.map(slope, jnp.eye(y.size))

  value, slopes = both(state)
  np.testing.assert_allclose(value, 3 * (slopes**2).sum(), rtol=2e-2)
  assert value > 1e-6


def due(count=12, **options):
  adversary = Adversary(**options)
  return [
      step for step in range(count) if turns(step, adversary).penalty
  ]


@pytest.mark.parametrize('options,expected', [
    ({}, []), ({'r1': 1.0, 'weight': 0.0}, []),
    ({'r1': 1.0, 'r1_every': 1}, [*range(12)]),
    ({'r1': 1.0, 'r1_every': 4}, [0, 4, 8]),
    ({'r1': 1.0, 'r1_every': 4, 'start': 3}, [3, 7, 11]),
    # The discriminator's own steps are 2, 3, 6, 7, 10, 11.
    ({'r1': 1.0, 'r1_every': 4, 'alternate_every': 2}, [2, 10]),
    ({'r1': 1.0, 'r1_every': 3, 'alternate_every': 2}, [2, 7]),
])
def test_when_it_is_due(options, expected):
  assert due(**options) == expected


def test_no_step_is_asked_for_where_none_decides():
  every = make_method(r1=1.0, r1_every=1)
  assert turns(None, every.adversary) == DUE
  lazy = dataclasses.replace(every, adversary=Adversary(r1=1.0, r1_every=2))
  with pytest.raises(ValueError, match='r1_every'):
    jax.jit(functools.partial(train_step, method=lazy))(
        make_state(lazy), make_batch()
    )
