"""One step of both networks: pure, over an explicit state.

Symbols are those of Luc et al. 2016 (arXiv:1611.08408), as quoted by later
papers: x an image, y its true class map, s(x) the segmentor's, a the
discriminator, mce and bce the cross-entropies of pixels and of real and fake.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from adseg_jax.method import measures
from adseg_jax.method.forward import class_maps, colours, judge, segment
from adseg_jax.method.losses import OBJECTIVES
from adseg_jax.method.method import Method
from adseg_jax.method.optimizers import learnt, without_frozen
from adseg_jax.method.reduction import mean_cross_entropy, mean_over, total
from adseg_jax.method.turns import Turn, own_steps, turns
from adseg_jax.networks.segmentors import downsample_labels

# Which of the two losses is pulled back.
_SEGMENTOR = np.float32(1), np.float32(0)
_DISCRIMINATOR = np.float32(0), np.float32(1)


def losses(logits, s, a, *, x, y, labels, mean, method: Method):
  """What the two networks minimise: equations 1 and 2.

  Args:
    logits: of s, [B,h,w,C].
    s: the segmentor's class maps, [B,h,w,C].
    a: the discriminator's parameters.
    x: images as the discriminator sees them, [B,H,W,3].
    y: the true class maps, [B,h,w,C].
    labels: of y, [B,h,w] int, void 255.
    mean: terms -> this device's share of their mean over the batch.
    method: static; its objective may be another than bce.

  Returns:
    ((segmentor's loss, discriminator's loss), metrics): scalars.
  """
  lambda_, bce = method.adversary.weight, OBJECTIVES[method.adversary.objective]
  real, fake = judge(a, (y, s), x, method)  # a(x, y) and a(x, s(x))
  # Equation 1, non-saturating: mce(s(x), y) + lambda bce(a(x, s(x)), 1).
  mce, metrics = mean_cross_entropy(logits, labels, mean, method)
  fooling = mean(bce.segmentor(fake))
  segmentor = mce + lambda_ * fooling
  # Equation 2: bce(a(x, y), 1) + bce(a(x, s(x)), 0).
  discriminator = mean(bce.discriminator(real, fake))
  return (segmentor, discriminator), metrics | {
      'adversarial_loss': fooling, 'discriminator_loss': discriminator,
      **measures.certainty(real, fake, bce, mean),
  }


def without_adversary(logits, _s, _a, *, labels, mean, method: Method, **_):
  """`losses` for the control and before the adversary starts: mce and 0."""
  mce, metrics = mean_cross_entropy(logits, labels, mean, method)
  return (mce, jnp.float32(0)), metrics


def gradients(state, batch, method: Method, turn: Turn, axis_name):
  """One forward pass, and a pullback of each loss to the network it belongs to.

  What a pullback gives to the other network is not used, and the compiler drops
  it. All are this device's share: the sum over devices is the result.

  Returns:
    {network: gradient} of those whose turn it is, both losses, the segmentor's
    new model state, metrics.
  """
  labels = downsample_labels(batch['label'], method.segmentor.stride)
  logits, pull_segmentor, model_state = jax.vjp(
      lambda params: segment(params, state, batch['image'], method, axis_name),
      state.segmentor.params, has_aux=True,
  )
  s, pull_map, y = jax.vjp(
      lambda logits: class_maps(logits, labels, method), logits, has_aux=True
  )
  both, pull, metrics = jax.vjp(
      functools.partial(
          losses if turn.adversary else without_adversary, y=y, labels=labels,
          x=colours(batch['image'], method), mean=mean_over(labels, axis_name),
          method=method,
      ), logits, s, state.discriminator.params, has_aux=True,
  )
  found = {}
  if turn.segmentor:
    wanted, fooling, _ = pull(_SEGMENTOR)
    if turn.adversary:
      fooling, = pull_map(fooling)
      metrics = metrics | measures.squares(wanted, fooling)
      wanted = wanted + fooling
    found['segmentor'], = pull_segmentor(wanted)
  if turn.discriminator:
    _, _, found['discriminator'] = pull(_DISCRIMINATOR)
  return found, both, model_state, metrics


def train_step(
    state, batch, *, method: Method, turn: Turn | None = None,
    axis_name: str | None = None,
):
  """The gradients of those whose turn it is, and their updates.

  Sums and counts cross devices, never means, so that the result does not
  depend on how a batch is split. Where a loss or the norm of a gradient is not
  finite, neither network changes; where they are, no update that
  `validation.validate` lets pass leads from parameters below 1e18 to infinity.

  Args:
    state: TrainState.
    batch: 'image' [B,H,W,3] float in 0..1 and 'label' [B,H,W] int, void 255:
      this device's part.
    method: static.
    turn: which networks learn, static; None asks `turns`.
    axis_name: the mapped axis of devices, or None.

  Returns:
    (TrainState, metrics): float32 scalars over the whole batch. The
    adversary's are absent where lambda is 0, and nan where they are not known,
    as before it starts; 'dropped' is 1 where the updates were dropped.

  Raises:
    ValueError: it needs `turn`, since the step decides and is not known.
  """
  turn = turns(state.step, method.adversary) if turn is None else turn
  found, both, model_state, metrics = gradients(
      state, batch, method, turn, axis_name
  )
  found = {
      name: without_frozen(gradient, getattr(method.optimizer, name))
      for name, gradient in found.items()
  }
  # Together, so that they cross devices in one all-reduce.
  found, both, model_state, metrics = total(
      (found, both, model_state, metrics), axis_name
  )
  metrics = measures.complete(metrics, found, method.adversary)
  states = {'segmentor': model_state, 'discriminator': {}}
  finite = measures.finite((both, [
      (states[name], metrics[f'{name}_gradient_norm']) for name in found
  ]))
  own, optimizer = own_steps(state.step, method.adversary), method.optimizer
  networks = {
      name: learnt(
          getattr(state, name), gradient, states[name], finite,
          getattr(optimizer, name), state.step, own[name], optimizer.steps,
      ) for name, gradient in found.items()
  }
  return (
      state.replace(step=state.step + 1, **networks),
      metrics | {'dropped': 1 - finite.astype(jnp.float32)},
  )
