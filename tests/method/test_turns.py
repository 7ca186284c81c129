"""Whose turn it is, and what a turn computes; warm-up counts own steps."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from miniature import PLAIN, make_batch, make_method, make_state

from adseg_jax.config import Adversary, Optimizer
from adseg_jax.method.step import train_step
from adseg_jax.method.turns import Turn, own_steps, turns

ALONE = Turn(True, False, False)
BOTH = Turn(True, True, True)
FIRST, SECOND = Turn(True, False, True), Turn(False, True, True)
IDLE = Turn(False, False, False)


@pytest.mark.parametrize('adversary,expected', [
    (Adversary(), [BOTH] * 8),
    (Adversary(weight=0), [ALONE] * 8),
    (Adversary(start=3), [ALONE] * 3 + [BOTH] * 5),
    (Adversary(start=3, weight=0), [ALONE] * 8),
    (Adversary(alternate_every=1), [FIRST, SECOND] * 4),
    (Adversary(alternate_every=3), [FIRST] * 3 + [SECOND] * 3 + [FIRST] * 2),
    (Adversary(start=1, alternate_every=2),
     [ALONE, *[FIRST] * 2, *[SECOND] * 2, *[FIRST] * 2, SECOND]),
    # On its adversary's schedule: otherwise it has twice the updates.
    (Adversary(start=1, alternate_every=2, weight=0),
     [*[ALONE] * 3, *[IDLE] * 2, *[ALONE] * 2, IDLE]),
], ids=str)
def test_turns_by_hand(adversary, expected):
  assert [turns(step, adversary) for step in range(8)] == expected
  assert turns(jnp.int32(5), adversary) == expected[5]


@pytest.mark.parametrize('schedule,segmentor,discriminator', [
    ({}, [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]),
    ({'start': 2}, [0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 2, 3]),
    ({'alternate_every': 1}, [0, 1, 1, 2, 2, 3], [0, 0, 1, 1, 2, 2]),
    ({'start': 1, 'alternate_every': 2},
     [0, 1, 2, 3, 3, 3, 4, 5, 5], [0, 0, 0, 0, 1, 2, 2, 2, 3]),
], ids=str)
def test_own_steps_by_hand(schedule, segmentor, discriminator):
  steps = jnp.arange(len(segmentor))
  found = jax.jit(jax.vmap(
      lambda step: own_steps(step, Adversary(**schedule))
  ))(steps)
  assert found['segmentor'].tolist() == segmentor
  assert found['discriminator'].tolist() == discriminator


@pytest.mark.parametrize('every', [1, 3])
def test_own_steps_count_turns(every):
  adversary = Adversary(start=4, alternate_every=every)
  counts = {'segmentor': 0, 'discriminator': 0}
  for step in range(30):
    assert own_steps(step, adversary) == counts
    for name in counts:
      counts[name] += getattr(turns(step, adversary), name)


@pytest.mark.parametrize('schedule', [{'start': 2}, {'alternate_every': 2}])
def test_a_step_that_is_not_known_is_said_to_be(schedule):
  method = make_method(**schedule)
  step = jax.jit(functools.partial(train_step, method=method))
  with pytest.raises(ValueError, match='turn=turns'):
    step(make_state(method), make_batch())


def test_the_given_turn_is_taken():
  method = make_method(alternate_every=2)
  state = make_state(method)
  _, metrics = jax.jit(
      functools.partial(train_step, method=method, turn=SECOND)
  )(state, make_batch())
  assert metrics['segmentor_gradient_norm'] == 0
  assert metrics['discriminator_gradient_norm'] > 0


def moves(method, steps):
  """How far each network moves at each step, over its gradient's norm."""
  @functools.cache
  def program(turn):
    return jax.jit(functools.partial(train_step, method=method, turn=turn))

  state, found = make_state(method), {'segmentor': [], 'discriminator': []}
  for step in range(steps):
    before = state
    state, metrics = program(turns(step, method.adversary))(
        state, make_batch()
    )
    for name, shares in found.items():
      old, new = (getattr(one, name).params for one in (before, state))
      moved = np.sqrt(sum(jax.tree.leaves(
          jax.tree.map(lambda a, b: float(((a - b)**2).sum()), old, new)
      )))
      norm = metrics[f'{name}_gradient_norm']
      shares.append(float(moved / norm) if norm else 0.0)
  return found


@pytest.mark.parametrize('schedule,segmentor,discriminator', [
    ({}, [.25, .5, .75, 1, 1, 1], [.25, .5, .75, 1, 1, 1]),
    ({'start': 2}, [.25, .5, .75, 1, 1, 1], [0, 0, .25, .5, .75, 1]),
    ({'alternate_every': 1}, [.25, 0, .5, 0, .75, 0], [0, .25, 0, .5, 0, .75]),
], ids=str)
def test_warmup_counts_the_steps_in_which_a_network_learns(
    schedule, segmentor, discriminator
):
  update = dataclasses.replace(PLAIN, warmup=4)
  method = dataclasses.replace(
      make_method(**schedule), optimizer=Optimizer(100, update, update)
  )
  found = moves(method, 6)
  rate = update.learning_rate
  np.testing.assert_allclose(
      found['segmentor'], rate * np.array(segmentor), rtol=1e-3
  )
  np.testing.assert_allclose(
      found['discriminator'], rate * np.array(discriminator), rtol=1e-3
  )
