"""The discriminator tells domains: both losses against plain sums."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from miniature import (
    Mini,
    assert_close,
    assert_same_metrics,
    make_state,
    same,
)
from test_unlabelled import (
    BOTH,
    LAMBDA,
    SHARES,
    judged,
    logits_of,
    make_batches,
    make_method,
    nats,
    run,
    step,
)

from adseg_jax.config import Unlabelled
from adseg_jax.method.turns import Turn
from adseg_jax.networks.discriminators import LargeFOV, Patch
from adseg_jax.networks.pyramid import standardize
from adseg_jax.networks.segmentors import downsample_labels

softplus = jax.nn.softplus


def supervised(params, batch):
  labels = downsample_labels(batch['label'], Mini.stride)
  logits = logits_of(params, batch['image'])
  labels, valid = np.asarray(labels), np.asarray(labels) != 255
  return sum(
      nats(logits[place], labels[place])
      for place in zip(*np.nonzero(valid), strict=True)
  ) / valid.sum()


def maps(params, images):
  return jax.nn.softmax(logits_of(params, images))


def test_both_losses_by_hand():
  """Void is in neither: true maps, which have it, are not shown."""
  method, batch = make_method(another_domain=True), make_batches()
  state = make_state(method)

  def source(params, state):
    return judged(state, maps(params, batch['image']))

  def target(params, state):
    return judged(state, maps(params, batch['unlabelled_image']))

  def one(params):
    return supervised(params, batch) + LAMBDA * softplus(
        -target(params, state)
    ).mean()

  def two(params):
    other = state.replace(discriminator=state.discriminator.replace(
        params=params
    ))
    own = state.segmentor.params
    return (softplus(-source(own, other)) + softplus(target(own, other))).mean()

  found, metrics = step(method, state, batch)
  assert_close(found[0], jax.grad(one)(state.segmentor.params), 1e-4)
  assert_close(found[1], jax.grad(two)(state.discriminator.params), 1e-4)
  own = state.segmentor.params
  for name, value in {
      'segmentation_loss': supervised(own, batch),
      'adversarial_loss': softplus(-target(own, state)).mean(),
      'discriminator_loss': two(state.discriminator.params),
      'd_real': jax.nn.sigmoid(source(own, state)).mean(),
      'd_fake': jax.nn.sigmoid(target(own, state)).mean(),
  }.items():
    np.testing.assert_allclose(metrics[name], value, rtol=1e-5, err_msg=name)


def test_the_ratio_is_of_the_gradients_at_both_domains_logits():
  method, batch = make_method(another_domain=True), make_batches()
  state = make_state(method)
  logits = logits_of(state.segmentor.params, batch['image'])
  there = logits_of(state.segmentor.params, batch['unlabelled_image'])
  labels = downsample_labels(batch['label'], Mini.stride)

  def wanted(logits):
    terms = jax.nn.logsumexp(logits, -1) - jnp.take_along_axis(
        logits, jnp.minimum(labels, 2)[..., None], -1
    )[..., 0]
    return jnp.where(labels == 255, 0, terms).sum() / (labels != 255).sum()

  def fooling(logits):
    return LAMBDA * softplus(-judged(state, jax.nn.softmax(logits))).mean()

  norms = [
      jnp.sqrt((jax.grad(function)(at) ** 2).sum())
      for function, at in ((wanted, logits), (fooling, there))
  ]
  np.testing.assert_allclose(
      step(method, state, batch)[1]['gradient_ratio'], norms[1] / norms[0],
      rtol=1e-4,
  )


@pytest.mark.parametrize('encoding', ['basic', 'product'])
def test_one_logit_an_image(encoding):
  network, batch = LargeFOV(width=0.02), make_batches()
  method = make_method(
      another_domain=True, discriminator=network,
      adversary={'encoding': encoding},
  )
  state = make_state(method)
  _, metrics = step(method, state, batch)
  if encoding == 'product':
    assert np.isfinite(metrics['discriminator_loss'])
    return
  real, fake = (
      network.apply(
          {'params': state.discriminator.params},
          maps(state.segmentor.params, images), standardize(images),
      ) for images in (batch['image'], batch['unlabelled_image'])
  )
  np.testing.assert_allclose(
      metrics['discriminator_loss'],
      (softplus(-real) + softplus(fake)).mean(), rtol=1e-5,
  )


def test_before_the_adversary_starts_it_is_the_segmentor_alone():
  method, turn = make_method(another_domain=True), Turn(True, False, False)
  plain = dataclasses.replace(method, unlabelled=Unlabelled())
  assert same(step(method, turn=turn), step(plain, turn=turn))
  assert not same(step(method, turn=BOTH)[0], step(plain, turn=BOTH)[0])


def test_lessons_are_added_to_it():
  method = make_method(another_domain=True, fixmatch=1.0, confidence=0.0)
  assert step(method)[1]['fixmatch_loss'] > 0


@functools.cache
def averaging():
  return make_method(another_domain=True, discriminator=Patch(width=0.02))


def test_one_device_equals_eight():
  assert len(SHARES) == 8
  (one, history), (eight, history8) = (run(averaging(), n) for n in (1, 8))
  assert_close(eight, one, 1e-5)
  assert_same_metrics(history8, history, 1e-4)


def test_a_batch_in_parts_is_the_batch():
  parts = dataclasses.replace(averaging(), accumulate=2)
  (whole, history), (summed, found) = (
      run(one, 1) for one in (averaging(), parts)
  )
  assert_close(summed, whole, 1e-5)
  assert_same_metrics(found, history, 1e-4)
