"""What a trained segmentor says of its classes, it says among others."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lite import small_fpn
from variables import filled

from adseg_jax.errors import UserError
from adseg_jax.networks.pretrained.other_classes import adopted, places
from adseg_jax.networks.segmentors import Dilated8, FCN8s, MultiScale

SIZE = 32, 32
THEIRS = 'sky', 'road', 'tree'
MORE = 'tree', 'car', 'road', 'sky', 'pole'
FEWER = 'road', 'car'
# Each way to have classes once: several classifiers, skips, maps of a class.
MAKERS = {
    'multiscale': lambda n: MultiScale(n, 0.05),
    'fcn8s': lambda n: FCN8s(n, 0.02),
    'dilated8': lambda n: Dilated8(n, 0.02),
    'dilated8, large context': lambda n: Dilated8(n, 0.02, 'large'),
    'fpn': small_fpn,
}


def pairs_of(ours, theirs=THEIRS):
  return [(i, theirs.index(x)) for i, x in enumerate(ours) if x in theirs]


def logits(module, variables):
  images = np.random.default_rng(1).random((1, *SIZE, 3), np.float32)
  apply = jax.jit(functools.partial(module.apply, train=False))
  return np.asarray(apply(variables, images))


@functools.cache
def trained_on(name):
  """(module, variables, logits) of a network of THEIRS."""
  module = MAKERS[name](len(THEIRS))
  variables = filled(module)
  return module, variables, logits(module, variables)


@pytest.mark.parametrize('name,ours', [
    ('multiscale', MORE), ('multiscale', FEWER), ('fcn8s', MORE),
    ('dilated8, large context', MORE), ('fpn', MORE),
])
def test_logits_of_shared_classes_stay(name, ours):
  trained, before, then = trained_on(name)
  module = MAKERS[name](len(ours))
  fresh = filled(module)
  after = adopted(fresh, before, places(trained, SIZE), pairs_of(ours))
  assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, fresh)
  now = logits(module, after)
  for here, there in pairs_of(ours):
    scale = np.abs(then[..., there]).max()
    assert scale > 1e-3
    np.testing.assert_allclose(
        now[..., here], then[..., there], rtol=0, atol=1e-6 * scale
    )


def test_new_classes_begin_as_they_would_without():
  trained, module = MAKERS['multiscale'](3), MAKERS['multiscale'](2)
  before, fresh = filled(trained), filled(module)
  after = adopted(
      fresh, before, places(trained, SIZE), pairs_of(('car', 'tree'))
  )
  for layer in ('classifier1', 'classifier2', 'classifier3'):
    kernel = after['params'][layer]['kernel']
    np.testing.assert_array_equal(
        kernel[:, 0], fresh['params'][layer]['kernel'][:, 0]
    )
    np.testing.assert_array_equal(
        kernel[:, 1], before['params'][layer]['kernel'][:, 2]
    )


def test_without_a_shared_class_the_rest_is_taken():
  trained = MAKERS['dilated8'](3)
  before, fresh = filled(trained), filled(MAKERS['dilated8'](2))
  before['constants']['vgg']['mean'] = np.float32([0.1, 0.2, 0.3])
  after = adopted(fresh, before, places(trained, SIZE), [])
  np.testing.assert_array_equal(
      after['params']['score']['kernel'], fresh['params']['score']['kernel']
  )
  np.testing.assert_array_equal(
      after['params']['fc7']['kernel'], before['params']['fc7']['kernel']
  )
  np.testing.assert_array_equal(
      after['constants']['vgg']['mean'], np.float32([0.1, 0.2, 0.3])
  )


def test_the_places_of_a_class():
  found = places(MAKERS['dilated8, large context'](3), SIZE)['params']
  assert found['fc6']['kernel'] == (0, 0, 0, 0)
  assert found['score']['kernel'] == (0, 0, 0, 1)
  assert found['context']['conv1']['kernel'] == (0, 0, 1, 2)
  assert found['context']['conv6']['kernel'] == (0, 0, 16, 32)
  assert found['context']['conv6']['bias'] == (32,)


class Background(nn.Module):
  """One more output than there are classes."""

  num_classes: int

  @nn.compact
  def __call__(self, images, *, train):
    return nn.Dense(self.num_classes + 1, name='score')(images)[..., 1:]


def test_a_side_that_is_not_of_classes_alone_is_refused():
  with pytest.raises(UserError, match=r"Background: .*'score'.* 3 classes"):
    places(Background(3), SIZE)
