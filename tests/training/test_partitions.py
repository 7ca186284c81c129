"""Frozen layers and a learning rate of their own for new ones."""

import dataclasses

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest
from miniature import CLASSES, make_batch, make_method, make_state, same

from adseg_jax.config import Optimizer, Update
from adseg_jax.errors import UserError
from adseg_jax.method.step import train_step
from adseg_jax.networks.layers import Conv

PLAIN = Update(learning_rate=0.125, momentum=0.0)


class Stem(nn.Module):
  @nn.compact
  def __call__(self, x):
    x = Conv(4, 3, name='conv1_1')(x)
    return Conv(4, 3, 2, name='conv2_1')(x)


class Layered(nn.Module):
  """Names as the networks on VGG-16 have them."""

  stride, num_classes = 4, CLASSES

  @nn.compact
  def __call__(self, images, *, train):
    x = Stem(name='vgg')(images)
    x = Conv(4, 3, 2, name='fc6')(x)
    return Conv(CLASSES, 1, activation=None, name='score')(x)


def steps(count, update=PLAIN, **changes):
  """Segmentor before and after some steps, and the last metrics."""
  method = dataclasses.replace(
      make_method(Layered(), weight=0.0),
      optimizer=Optimizer(100, dataclasses.replace(update, **changes), PLAIN),
  )
  state = first = make_state(method)
  step = jax.jit(lambda s, b: train_step(s, b, method=method))
  for seed in range(count):
    state, metrics = step(state, make_batch(seed))
  return first.segmentor, state.segmentor, metrics


@pytest.mark.parametrize('name', ['sgd', 'adam', 'adamw'])
def test_frozen_layers_keep_their_bits(name):
  before, after, _ = steps(
      3, name=name, momentum=0.9, weight_decay=0.1, clip=1.0,
      frozen=('vgg/conv1', 'fc6'),
  )
  before, after = before.params, after.params
  assert same(before['vgg']['conv1_1'], after['vgg']['conv1_1'])
  assert same(before['fc6'], after['fc6'])
  for part in ('kernel', 'bias'):
    assert not same(before['score'][part], after['score'][part])
    assert not same(
        before['vgg']['conv2_1'][part], after['vgg']['conv2_1'][part]
    )


def test_frozen_layers_have_no_momentum_and_count_in_no_norm():
  _, free, metrics = steps(1)
  _, part, partly = steps(1, frozen=('vgg', 'fc6'))
  trace = optax.tree.get(part.optimizer_state, 'trace')
  assert jax.tree.structure(trace['score']) == jax.tree.structure(
      part.params['score']
  )
  assert not jax.tree.leaves((trace['vgg'], trace['fc6']))
  gradient = optax.tree.get(free.optimizer_state, 'trace')
  np.testing.assert_allclose(
      partly['segmentor_gradient_norm'], optax.tree.norm(gradient['score']),
      rtol=1e-5,
  )
  assert partly['segmentor_gradient_norm'] < metrics['segmentor_gradient_norm']


def test_the_others_learn_as_if_nothing_were_frozen():
  _, free, _ = steps(1, weight_decay=0.1)
  _, part, _ = steps(1, weight_decay=0.1, frozen=('vgg/conv1',))
  for name in ('fc6', 'score'):
    for leaf in ('kernel', 'bias'):
      np.testing.assert_allclose(
          part.params[name][leaf], free.params[name][leaf], atol=1e-6
      )


def test_the_factor_is_exact():
  """Rate and factor are powers of two: nothing but the sum is rounded."""
  before, slow, _ = steps(1, weight_decay=0.5)
  _, fast, _ = steps(1, weight_decay=0.5, new_layers_factor=8.0)
  assert same(slow.params['vgg'], fast.params['vgg'])
  assert same(slow.params['fc6'], fast.params['fc6'])
  move = optax.tree.get(slow.optimizer_state, 'trace')['score']
  for leaf, start in before.params['score'].items():
    for after, rate in ((slow, 0.125), (fast, 1.0)):
      np.testing.assert_array_equal(
          after.params['score'][leaf], start - np.float32(rate) * move[leaf]
      )


def test_the_factor_is_the_learning_rate_of_that_layer():
  """Over several steps, momentum and decay included."""
  _, fast, _ = steps(
      4, momentum=0.9, weight_decay=0.1, frozen=('vgg', 'fc6'),
      new_layers_factor=10.0, learning_rate=0.01,
  )
  _, direct, _ = steps(
      4, momentum=0.9, weight_decay=0.1, frozen=('vgg', 'fc6'),
      learning_rate=0.1,
  )
  for leaf in ('kernel', 'bias'):
    np.testing.assert_allclose(
        fast.params['score'][leaf], direct.params['score'][leaf],
        atol=1e-6,
    )


@pytest.mark.parametrize('field,changes', [
    ('frozen', {'frozen': ('vgg/conv1', 'vgg/conv7')}),
    ('new_layers', {'new_layers': ('vgg/conv7',), 'new_layers_factor': 10.0}),
])
def test_an_unknown_layer_lists_the_layers(field, changes):
  with pytest.raises(UserError) as caught:
    steps(0, **changes)
  assert str(caught.value) == (
      f'--optimizer.segmentor.{field}: no layer of the segmentor begins with '
      'vgg/conv7: give beginnings of fc6, score, vgg/conv1_1, vgg/conv2_1'
  )
