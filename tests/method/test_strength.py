"""lambda by its effect; the numbers are worked out by hand."""

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from miniature import PLAIN, make_batch, make_method, make_state, same

from adseg_jax.config import Adversary, Optimizer
from adseg_jax.method import strength
from adseg_jax.method.step import train_step

ADVERSARY = Adversary(weight=0.5, pull=0.2)


def after(lambda_, ratio, finite=True, adversary=ADVERSARY):
  return strength.after(
      jnp.float32(lambda_), {'gradient_ratio': jnp.float32(ratio)},
      jnp.bool_(finite), adversary,
  )


@pytest.mark.parametrize('lambda_,ratio,expected', [
    (0.5, 0.2, 0.5), (0.5, 0.4, 0.5 * 0.5**0.05), (0.5, 0.1, 0.5 * 2**0.05),
    # One step counts for a factor of 100 at most.
    (0.5, 1e9, 0.5 / 100**0.05), (0.5, 1e-9, 0.5 * 100**0.05),
    # lambda is within 1e-4 and 1e4.
    (1.1e-4, 1e9, 1e-4), (9e3, 1e-9, 1e4),
    (0.5, np.inf, 0.5 / 100**0.05),
])
def test_a_step_by_hand(lambda_, ratio, expected):
  np.testing.assert_allclose(after(lambda_, ratio), expected, rtol=1e-6)


@pytest.mark.parametrize('ratio,finite', [
    (np.nan, True), (0.0, True), (0.4, False), (np.nan, False),
])
def test_without_anything_to_follow_it_keeps_its_bits(ratio, finite):
  assert same(after(0.3, ratio, finite), jnp.float32(0.3))


def test_it_is_an_average_of_logs():
  """n steps leave 0.95^n of the way to pull / slope, in logs."""
  lambda_ = 0.5
  for _ in range(40):
    lambda_ = after(lambda_, 3 * lambda_)
  wanted = np.log(0.2 / 3)
  np.testing.assert_allclose(
      np.log(lambda_), wanted + 0.95**40 * (np.log(0.5) - wanted), rtol=1e-5
  )


def test_only_an_adversary_that_pulls_has_it():
  assert strength.begin(ADVERSARY) == 0.5
  for off in (Adversary(), dataclasses.replace(ADVERSARY, weight=0.0)):
    assert strength.begin(off) is None
    assert strength.of(SimpleNamespace(lambda_=None), off) == off.weight


def test_steps_reach_the_share():
  """Networks that stay as they are: the share alone moves."""
  still = dataclasses.replace(PLAIN, learning_rate=0.0)
  method = dataclasses.replace(
      make_method(weight=0.5, pull=0.2), optimizer=Optimizer(100, still, still)
  )
  step = jax.jit(lambda state: train_step(state, make_batch(), method=method))
  state, history = make_state(method), []
  for _ in range(200):
    state, metrics = step(state)
    history.append(metrics)
  first, last = history[0], history[-1]
  assert first['lambda'] == 0.5 and abs(first['gradient_ratio'] - 0.2) > 0.02
  np.testing.assert_allclose(last['gradient_ratio'], 0.2, rtol=1e-3)
  slope = first['gradient_ratio'] / first['lambda']
  np.testing.assert_allclose(last['lambda'], 0.2 / slope, rtol=1e-3)


def test_lambda_enters_the_loss_as_a_constant_does():
  pulled, constant = make_method(weight=0.5, pull=0.2), make_method(weight=0.7)
  state = make_state(pulled).replace(lambda_=jnp.float32(0.7))
  one, other = (
      jax.jit(lambda state, method=method: train_step(
          state, make_batch(), method=method
      )[0])(start) for method, start in (
          (pulled, state), (constant, make_state(constant))
      )
  )
  assert other.lambda_ is None
  for name in ('segmentor', 'discriminator'):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
        getattr(one, name), getattr(other, name),
    )
