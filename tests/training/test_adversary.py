"""The discriminator's gradient is that of its own loss, however sure it is."""

import dataclasses
import functools

import flax.linen as nn
import jax
import optax
from miniature import (
    PLAIN,
    assert_close,
    make_batch,
    make_method,
    make_state,
)

from adseg_jax.config import Optimizer, Update
from adseg_jax.method.encodings import class_maps
from adseg_jax.method.step import train_step
from adseg_jax.networks.segmentors import downsample_labels


class Purity(nn.Module):
  """Slope and offset of how pure a map's colours are: it is soon sure."""

  @nn.compact
  def __call__(self, maps, images):
    del images
    purity = (maps**2).sum((1, 2, 3)) / maps.sum((1, 2, 3))
    return nn.Dense(1, name='logit')(40 * (purity[:, None] - 0.7))[:, 0]


def test_a_saturated_discriminator_moves_by_equation_2_alone():
  """As value_and_grad of it does, on fixed maps, far beyond D(fake) = 0."""
  rate, momentum, second = 0.1, 0.5, 0.9
  method = dataclasses.replace(
      make_method(discriminator=Purity(), weight=0.5), optimizer=Optimizer(
          1000, dataclasses.replace(PLAIN, learning_rate=0.0),
          Update('adam', rate, momentum=momentum, second_moment=second),
      ),
  )
  state, batch = make_state(method), make_batch()
  logits = method.segmentor.apply(
      {'params': state.segmentor.params}, batch['image'], train=True
  )
  real, fake = class_maps(logits, downsample_labels(batch['label'], 4))

  def judge(params, maps):
    return method.discriminator.apply({'params': params}, maps, batch['image'])

  @jax.value_and_grad
  def equation_2(params):
    return (nn.softplus(-judge(params, real)).mean()
            + nn.softplus(judge(params, fake)).mean())

  optimizer = optax.adam(rate, momentum, second)

  @jax.jit
  def plain_step(params, moments):
    _, gradient = equation_2(params)
    move, moments = optimizer.update(gradient, moments)
    return optax.apply_updates(params, move), moments

  step = jax.jit(functools.partial(train_step, method=method))
  params = state.discriminator.params
  moments = optimizer.init(params)
  for _ in range(300):
    state, _ = step(state, batch)
    params, moments = plain_step(params, moments)
  assert judge(params, fake).max() < -10 and judge(params, real).min() > 10
  assert_close(state.discriminator.params, params, 1e-5)
