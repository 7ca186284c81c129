from types import SimpleNamespace

import jax
import numpy as np
import pytest
from miniature import Mini, make_method, same

from adseg_jax.config import Update
from adseg_jax.method.forward import segment
from adseg_jax.method.state import init_state
from adseg_jax.networks.discriminators import FieldOfView


def start(method, seed=0, size=(16, 16)):
  return init_state(jax.random.key(seed), method, size)


def test_it_begins_at_step_zero_with_the_key_it_was_given():
  key = jax.random.key(7)
  state = init_state(key, make_method(), (16, 16))
  assert state.step == 0 and state.step.dtype == np.int32
  assert same(state.key, key)


def test_the_key_decides_every_bit():
  method = make_method()
  assert same(start(method), start(method))
  for network in ('segmentor', 'discriminator'):
    one, other = (
        getattr(start(method, seed), network).params for seed in (0, 1)
    )
    assert not same(one, other)


def test_the_networks_start_from_keys_of_their_own():
  """A segmentor in the discriminator's place starts otherwise."""
  twin = FieldOfView(((3, 3),), ())
  state = start(make_method(discriminator=twin))
  kernels = (state.segmentor.params['conv1']['kernel'],
             state.discriminator.params['conv1']['kernel'])
  assert kernels[0].shape == kernels[1].shape
  assert not np.allclose(*kernels)


@pytest.mark.parametrize('encoding,depth', [('basic', 3), ('product', 9)])
def test_the_discriminator_fits_the_encoding(encoding, depth):
  state = start(make_method(encoding=encoding), size=(16, 24))
  assert state.discriminator.params['conv1']['kernel'].shape[2] == depth


def test_optimiser_state_is_fresh_and_model_state_apart():
  method = make_method(Mini(average=True), update=Update('adam'))
  state = start(method)
  assert set(state.segmentor.model_state) == {'batch_stats'}
  assert set(state.segmentor.params) == {'conv1'}
  for network in (state.segmentor, state.discriminator):
    assert all(not x.any() for x in jax.tree.leaves(network.optimizer_state))


def test_dropout_keys_are_none_of_those_that_the_networks_begin_with():
  """split(key)[i] is fold_in(key, i): a step folded in would be one of them."""
  found = []

  def apply(variables, images, *, rngs, **_):
    found.append(rngs['dropout'])
    return images, {}

  state = start(make_method())
  spy = SimpleNamespace(
      segmentor=SimpleNamespace(apply=apply), precision='float32',
      accumulate=1,
  )
  for step in range(8):
    segment({}, state.replace(step=np.int32(step)), np.zeros(1, 'f'), spy)
  found += [*jax.random.split(jax.random.key(0)), jax.random.key(0)]
  bits = {jax.random.key_data(key).tobytes() for key in found}
  assert len(bits) == len(found) == 11
