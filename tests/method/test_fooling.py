"""Feature matching, by hand and for each discriminator."""

import functools

import flax.linen as nn
import jax
import numpy as np
import pytest
from miniature import (
    PLAIN,
    assert_close,
    make_batch,
    make_method,
    make_state,
)

from adseg_jax.errors import UserError
from adseg_jax.method.encodings import class_maps
from adseg_jax.method.fooling import features, matched
from adseg_jax.method.forward import judge
from adseg_jax.method.reduction import mean_over
from adseg_jax.method.step import train_step
from adseg_jax.networks.discriminators import DISCRIMINATORS
from adseg_jax.networks.segmentors import downsample_labels


class Sums(nn.Module):
  """Its features are the map itself."""

  name_of_last: str = 'logit'

  @nn.compact
  def __call__(self, maps, images):
    del images
    x = nn.Conv(1, (1, 1), name=self.name_of_last)(maps)
    return x.mean((1, 2, 3))


def test_by_hand():
  found = matched(np.float32([[1, 2], [0, 0]]), np.float32([[1, 4], [3, 1]]))
  np.testing.assert_allclose(found, [2, 5])


@pytest.mark.parametrize('name', DISCRIMINATORS)
def test_they_are_what_the_last_layer_is_given(name):
  """Of two maps at once as of one alone."""
  method = make_method(discriminator=DISCRIMINATORS[name](width=0.02))
  state, batch = make_state(method), make_batch()
  maps = jax.random.uniform(jax.random.key(1), (2, 2, 4, 4, 3))

  @jax.jit
  def of(*maps):
    a = judge(state.discriminator.params, batch['image'], state, method)
    return features(a, *maps)

  one, other = of(*maps)
  depth = state.discriminator.params['logit']['kernel'].shape[2]
  assert one.shape == other.shape == (2, depth)
  np.testing.assert_allclose(of(maps[1])[0], other, rtol=1e-5)
  assert not np.allclose(one, other)


def test_the_segmentor_is_pulled_by_the_mean_difference():
  """Its features are the map itself: the loss and its slope by hand."""
  method = make_method(
      discriminator=Sums(), weight=0.5, feature_matching=True
  )
  state, batch = make_state(method), make_batch()
  labels = downsample_labels(batch['label'], 4)
  alone = make_method(discriminator=Sums(), weight=0.0)
  (after, metrics), (plain, _) = (
      jax.jit(functools.partial(train_step, method=one))(state, batch)
      for one in (method, alone)
  )

  def loss(params):
    logits = method.segmentor.apply(
        {'params': params}, batch['image'], train=True
    )
    real, fake = class_maps(logits, labels)
    difference = (real - fake).mean((1, 2))
    return mean_over(labels, None)((difference**2).mean(-1))

  value, slope = jax.jit(jax.value_and_grad(loss))(state.segmentor.params)
  np.testing.assert_allclose(metrics['adversarial_loss'], value, rtol=1e-5)
  moved = jax.tree.map(
      lambda p, s: p - 0.5 * PLAIN.learning_rate * s, plain.segmentor.params,
      slope,
  )
  assert_close(after.segmentor.params, moved, 1e-6)


def test_a_discriminator_without_that_layer_is_refused():
  method = make_method(
      discriminator=Sums(name_of_last='last'), feature_matching=True
  )
  with pytest.raises(UserError, match='no layer named logit') as caught:
    jax.jit(functools.partial(train_step, method=method))(
        make_state(method), make_batch()
    )
  assert '\n' not in str(caught.value)
