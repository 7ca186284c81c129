"""Optimisers and learning rates, from their configuration."""

import jax
import jax.numpy as jnp
import optax

from adseg_jax.config import Optimizer, Update
from adseg_jax.errors import UserError
from adseg_jax.method import average
from adseg_jax.method.turns import own_steps


def direction(update: Update) -> optax.GradientTransformation:
  """Gradient to direction of descent, before the learning rate.

  The learning rate is a function of the run's step and of how many steps were
  the network's own, not of optax's count of updates. Frozen layers get a
  direction of zero and no optimiser state; the norm that is clipped leaves them
  out.
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
  if update.new_layers_factor != 1:
    faster = optax.scale(update.new_layers_factor)
    parts = (*parts, optax.masked(faster, _within(update.new_layers)))
  if not update.frozen:
    return optax.chain(*parts)
  return optax.partition(
      {'frozen': optax.set_to_zero(), 'trained': optax.chain(*parts)},
      lambda params: jax.tree.map(
          lambda frozen: 'frozen' if frozen else 'trained',
          _within(update.frozen)(params),
      ),
  )


def without_frozen(gradients, optimizer: Optimizer):
  """Gradients of networks, zero in frozen layers: none is computed there."""
  return {
      name: jax.tree.map(
          lambda g, frozen: jnp.zeros_like(g) if frozen else g,
          gradient, _within(getattr(optimizer, name).frozen)(gradient),
      ) for name, gradient in gradients.items()
  }


def check_layers(update: Update, params, network: str):
  """Refuses names that no layer of the network's parameters begins with.

  Raises:
    UserError: one line that lists the layers.
  """
  layers = dict.fromkeys(
      _layer(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)
  )
  wanted = {'frozen': update.frozen}
  if update.new_layers_factor != 1:
    wanted['new_layers'] = update.new_layers
  for field, prefixes in wanted.items():
    for prefix in prefixes:
      if not any(layer.startswith(prefix) for layer in layers):
        raise UserError(
            f'--optimizer.{network}.{field}: no layer of the {network} begins '
            f'with {prefix}: give beginnings of {", ".join(layers)}'
        )


def _layer(path) -> str:
  """A parameter's place in the tree -> its layer, such as vgg/conv1_1."""
  return '/'.join(key.key for key in path[:-1])


def _within(prefixes: tuple[str, ...]):
  """params -> tree of whether a leaf's layer begins with one of these."""
  return lambda params: jax.tree_util.tree_map_with_path(
      lambda path, _: _layer(path).startswith(prefixes), params
  )


def _is_matrix(params):
  return jax.tree.map(lambda p: p.ndim > 1, params)


def learning_rate(update: Update, step, own_step, steps: int):
  """Learning rate at a step of the run, 0 first: float32 scalar.

  The schedule goes by that step and the run's length, warm-up by the steps in
  which the network learnt before.
  """
  left = 1 - jnp.minimum(step, steps) / steps
  factor = {
      'constant': lambda: 1.0,
      'polynomial': lambda: left**update.power,
      'cosine': lambda: 0.5 * (1 - jnp.cos(jnp.pi * left)),
  }[update.schedule]()
  if update.warmup:
    factor = factor * jnp.minimum(1.0, (own_step + 1) / update.warmup)
  return jnp.asarray(update.learning_rate * factor, jnp.float32)


def updated(network, gradient, update: Update, step, own_step, steps: int):
  """The network after one update with its gradient."""
  move, optimizer_state = direction(update).update(
      gradient, network.optimizer_state, network.params
  )
  rate = learning_rate(update, step, own_step, steps)
  return network.replace(
      params=jax.tree.map(lambda p, m: p - rate * m, network.params, move),
      optimizer_state=optimizer_state,
  )


def learnt(state, gradients, model_state, finite, method) -> dict:
  """The networks that have gradients after their step.

  With what the step changes of the segmentor's model state. Where `finite`, a
  bool scalar, is false, networks stay as they were.
  """
  own, new = own_steps(state.step, method.adversary), {'segmentor': model_state}

  def step(name):
    network = getattr(state, name)
    network = updated(
        network, gradients[name], getattr(method.optimizer, name), state.step,
        own[name], method.optimizer.steps,
    ).replace(model_state=network.model_state | new.get(name, {}))
    return average.after(network, method.average, own[name])

  # A branch: a choice leaf by leaf takes as long and keeps a second copy of
  # the largest leaf's momentum, 430 MiB more than 960 on FCN-32s.
  return {
      name: jax.lax.cond(
          finite, lambda name=name: step(name),
          lambda name=name: getattr(state, name),
      ) for name in gradients
  }
