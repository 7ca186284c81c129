"""The moving average of weights; the numbers are worked out by hand."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from miniature import HEAVY, Mini, assert_close, make_batch, make_state, same
from miniature import make_method as miniature

from adseg_jax.config import Data, Experiment, Segmentor
from adseg_jax.method import average
from adseg_jax.method.method import make_method
from adseg_jax.method.state import Network
from adseg_jax.method.step import train_step
from adseg_jax.method.turns import turns

DECAY = 0.75


def averaging(**options):
  return dataclasses.replace(miniature(update=HEAVY, **options), average=DECAY)


def run(method, batches):
  """The states from the first on."""
  @functools.cache
  def program(turn):
    return jax.jit(functools.partial(train_step, method=method, turn=turn))

  states = [make_state(method)]
  for step, batch in enumerate(batches):
    turn = turns(step, method.adversary)
    states.append(program(turn)(states[-1], batch)[0])
  return states


def mean(trees):
  """Of trees whose weights fall by DECAY into the past."""
  shares = DECAY ** np.arange(len(trees))[::-1]
  return jax.tree.map(
      lambda *leaves: sum(
          share * leaf for share, leaf in zip(shares, leaves, strict=True)
      ) / shares.sum(), *trees
  )


@pytest.mark.parametrize('weights,expected', [
    ([8.0], 8.0), ([8.0, 1.0], (0.75 * 8 + 1) / 1.75),
    ([8.0, 1.0, 2.0], (0.5625 * 8 + 0.75 + 2) / 2.3125),
])
def test_by_hand(weights, expected):
  network = average.begin(Network({'w': jnp.float32(100)}, {}, ()))
  for step, weight in enumerate(weights):
    network = average.after(
        network.replace(params={'w': jnp.float32(weight)}), DECAY, step
    )
  np.testing.assert_allclose(
      network.average['params']['w'], expected, rtol=1e-6
  )


def test_a_count_is_the_last():
  network = average.begin(Network({}, {'seen': {'n': jnp.int32(3)}}, ()))
  network = network.replace(model_state={'seen': {'n': jnp.int32(4)}})
  found = average.after(network, DECAY, 7).average
  assert same(found, {'params': {}, 'seen': {'n': jnp.int32(4)}})


def test_the_half_life_is_in_images():
  np.testing.assert_allclose(average.decay(500, 50) ** 10, 0.5)
  assert average.decay(0, 50) == 0 < average.decay(1, 2**16)
  for batch in (5, 20):
    experiment = Experiment(
        data=Data(batch=batch), segmentor=Segmentor(average=100)
    )
    decay = make_method(experiment, 3).average
    np.testing.assert_allclose(decay ** (100 / batch), 0.5)


def test_steps_average_parameters_and_statistics():
  states = run(averaging(segmentor=Mini(average=True)), [make_batch()] * 4)
  network = states[-1].segmentor
  assert_close(network.average, mean([
      {'params': one.segmentor.params, **one.segmentor.model_state}
      for one in states[1:]
  ]), 1e-6)
  assert set(network.average) == {'params', 'batch_stats'}
  assert states[-1].discriminator.average is None


def test_it_changes_nothing_else():
  with_it, without = (
      run(method, [make_batch()] * 2)[-1]
      for method in (averaging(), miniature(update=HEAVY))
  )
  assert without.segmentor.average is None
  assert same(with_it.replace(
      segmentor=with_it.segmentor.replace(average=None)
  ), without)


def test_only_own_steps_count():
  """Segmentor, discriminator, segmentor."""
  states = run(averaging(alternate_every=1), [make_batch()] * 3)
  averages = [state.segmentor.average for state in states]
  assert same(averages[1], averages[2])
  assert_close(averages[3]['params'], mean([
      states[i].segmentor.params for i in (1, 3)
  ]), 1e-6)


def test_a_dropped_update_leaves_it():
  broken = make_batch()
  broken['image'][0] = np.nan
  states = run(averaging(), [make_batch(), broken])
  assert same(states[1].segmentor, states[2].segmentor)
