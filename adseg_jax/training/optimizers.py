"""Optimisers and learning rates, from their configuration."""

import jax
import jax.numpy as jnp
import optax

from adseg_jax.config import Update


def direction(update: Update) -> optax.GradientTransformation:
  """Gradient to direction of descent, before the learning rate.

  The learning rate is a function of the run's step, not of the number of
  updates made: with alternation the two differ.
  """
  decay = optax.add_decayed_weights(update.weight_decay, _is_matrix)
  moments = {
      'b1': update.momentum, 'b2': update.second_moment,
  }
  parts = {
      'sgd': lambda: (decay, optax.trace(update.momentum)),
      'adam': lambda: (decay, optax.scale_by_adam(**moments)),
      'adamw': lambda: (optax.scale_by_adam(**moments), decay),
  }[update.name]()
  if update.clip:
    parts = (optax.clip_by_global_norm(update.clip), *parts)
  return optax.chain(*parts)


def _is_matrix(params):
  return jax.tree.map(lambda p: p.ndim > 1, params)


def learning_rate(update: Update, step, steps: int):
  """Learning rate at a step.

  Args:
    update: the network's optimiser.
    step: int32 scalar, 0 first.
    steps: length of the run.

  Returns:
    float32 scalar.
  """
  left = 1 - jnp.minimum(step, steps) / steps
  factor = {
      'constant': lambda: 1.0,
      'polynomial': lambda: left**update.power,
      'cosine': lambda: 0.5 * (1 - jnp.cos(jnp.pi * left)),
  }[update.schedule]()
  if update.warmup:
    factor = factor * jnp.minimum(1.0, (step + 1) / update.warmup)
  return jnp.asarray(update.learning_rate * factor, jnp.float32)
