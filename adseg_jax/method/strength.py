"""lambda by its effect: the share of the gradient that is the adversary's.

Esser et al. 2021 (arXiv:2012.09841) weigh a GAN's loss by the quotient of both
losses' gradients at the last layer, within 0 to 1e4. Here the gradients are
those at the logits, the share is chosen, and lambda follows in logs.
"""

import jax.numpy as jnp

from adseg_jax.config import Adversary

# Share of the way to the wanted lambda that a step goes, in logs: an average
# over some 20 steps. Chosen.
RATE = 0.05
# One step counts for at most so much, and lambda stays within. Chosen.
MOST = 100.0
BOUNDS = 1e-4, 1e4


def begin(adversary: Adversary):
  """lambda of the state before the first step; None where it is constant."""
  pulls = adversary.pull > 0 and adversary.weight > 0
  return jnp.float32(adversary.weight) if pulls else None


def of(state, adversary: Adversary):
  """lambda of a step: the state's, or the constant."""
  return adversary.weight if state.lambda_ is None else state.lambda_


def after(lambda_, metrics, finite, adversary: Adversary):
  """lambda of the next step.

  This step would have had the wanted share with lambda pull / ratio: the log
  of the result is an exponential moving average of that one's log. Where the
  step was not finite, or its ratio is nan, not measured, or 0, lambda stays.
  """
  if lambda_ is None:
    return None
  ratio = metrics['gradient_ratio']
  known = finite & (ratio > 0)
  factor = jnp.clip(
      adversary.pull / jnp.where(known, ratio, 1), 1 / MOST, MOST
  )
  return jnp.where(known, jnp.clip(lambda_ * factor**RATE, *BOUNDS), lambda_)
