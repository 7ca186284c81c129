"""The exponential moving average of a network's weights while it trains.

Polyak and Juditsky 1992 average them all; that recent ones count more is usual
for adversaries (Yazici et al. 2019, arXiv:1806.04498).
"""

import math

import jax
import jax.numpy as jnp


def decay(half_life: float, batch: int) -> float:
  """Factor on older weights at a step, from images; 0: no average."""
  # Of few images it is the weights themselves, and still an average.
  return max(0.5 ** (batch / half_life), 1e-30) if half_life else 0.0


def begin(network):
  """The network with an average that is the weights it has."""
  variables = {'params': network.params, **network.model_state}
  # Copies: a step is given each of its state's arrays once.
  return network.replace(average=jax.tree.map(jnp.copy, variables))


def after(network, factor: float, own_step):
  """The network with its weights in its average, where it has one.

  With weights w_1, w_2, ... after each step of the network's own and decay d:
  a_n = a_{n-1} + (1 - d) / (1 - d^n) (w_n - a_{n-1}), which is the sum over k
  of d^(n-k) w_k over the sum of d^(n-k). What it began with does not count. The
  factor is d; `own_step` counts the network's steps before this one.
  """
  if network.average is None:
    return network
  log = math.log(factor)
  share = jnp.expm1(jnp.float32(log)) / jnp.expm1(log * (own_step + 1.0))
  variables = {'params': network.params, **network.model_state}

  def mixed(a, w):
    if not jnp.issubdtype(w.dtype, jnp.floating):
      return w  # a count has no average
    return (a + share * (w - a)).astype(w.dtype)

  return network.replace(
      average=jax.tree.map(mixed, network.average, variables)
  )
