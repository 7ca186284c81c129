"""One step of both networks: pure, over an explicit state.

Symbols are those of Luc et al. 2016 (arXiv:1611.08408), as quoted by later
papers: x an image, y its true class map, s(x) the segmentor's, a the
discriminator, mce and bce the cross-entropies of pixels and of real and fake.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from adseg_jax.method import measures, strength
from adseg_jax.method.accumulation import in_parts
from adseg_jax.method.fooling import fool
from adseg_jax.method.forward import class_maps, judge, segment
from adseg_jax.method.losses import OBJECTIVES, smoothed
from adseg_jax.method.method import Method
from adseg_jax.method.optimizers import learnt, without_frozen
from adseg_jax.method.penalty import r1
from adseg_jax.method.reduction import mean_cross_entropy, mean_over, total
from adseg_jax.method.turns import Turn, turns
from adseg_jax.method.unlabelled import taught
from adseg_jax.networks.segmentors import downsample_labels

# Which of the two losses is pulled back.
_SEGMENTOR = np.float32(1), np.float32(0)
_DISCRIMINATOR = np.float32(0), np.float32(1)


def losses(
    segmentor, discriminator, taps, batch, *, state, method, turn, axis_name
):
  """What the two networks minimise: equations 1 and 2.

  Args:
    segmentor: parameters of s.
    discriminator: parameters of a.
    taps: two zeros that are added to the logits, one where each part of
      equation 1 begins: what is pulled back to them is that part's gradient.
    batch: 'image' [B,H,W,3] and 'label' [B,H,W]: this device's part. Of a part
      of that, 'whole_label' has the labels of all of it, as the logits have.
    state: TrainState, for what of s is not a parameter.
    method: static; its objective may be another than bce.
    turn: whether a penalty is due; static.
    axis_name: the mapped axis of devices, or None.

  Returns:
    ((segmentor's loss, discriminator's loss), (new model state, metrics)), this
    device's share of each: the sum over devices is the result.
  """
  x, adversary = batch['image'], method.adversary
  labels = downsample_labels(batch['label'], method.segmentor.stride)
  bce = smoothed(OBJECTIVES[adversary.objective], adversary.smoothing)
  mean = mean_over(labels, axis_name, batch.get('whole_label'))
  logits, model_state = segment(segmentor, state, x, method, axis_name)
  s_x, y = class_maps(logits + taps[1], labels, method)
  a = judge(discriminator, x, state, method, axis_name)
  real, fake = a(y, s_x)
  # Equation 1, non-saturating: mce(s(x), y) + lambda bce(a(x, s(x)), 1).
  mce, metrics = mean_cross_entropy(logits + taps[0], labels, mean, method)
  fooling = mean(fool(a, y, s_x, fake, bce, adversary))
  one = mce + strength.of(state, adversary) * fooling
  # Equation 2: bce(a(x, y), 1) + bce(a(x, s(x)), 0); a's penalty, if due.
  two = mean(bce.discriminator(real, fake))
  steepness, told = r1(a, y, mean, adversary, turn.penalty)
  metrics |= {'adversarial_loss': fooling, 'discriminator_loss': two} | told
  metrics |= measures.certainty(real, fake, bce, mean)
  return (one, two + steepness), (model_state, metrics)


def without_adversary(
    segmentor, _discriminator, taps, batch, *, state, method, axis_name, **_
):
  """`losses` for the control and before the adversary starts: mce and 0."""
  x = batch['image']
  labels = downsample_labels(batch['label'], method.segmentor.stride)
  logits, model_state = segment(segmentor, state, x, method, axis_name)
  mean = mean_over(labels, axis_name, batch.get('whole_label'))
  mce, metrics = mean_cross_entropy(logits + taps[0], labels, mean, method)
  return (mce, jnp.float32(0)), (model_state, metrics)


def gradients(state, batch, method: Method, turn: Turn, axis_name):
  """One forward pass, and a pullback of each loss to the network it belongs to.

  What a pullback gives to the other network the compiler drops.

  Returns:
    {network: gradient} of those whose turn it is, both losses, the segmentor's
    new model state, metrics: this device's shares.
  """
  both, pull, (model_state, metrics) = jax.vjp(
      functools.partial(
          taught(losses if turn.adversary else without_adversary),
          batch=batch, state=state, method=method, turn=turn,
          axis_name=axis_name,
      ), state.segmentor.params, state.discriminator.params,
      measures.taps(batch['label'], method.segmentor), has_aux=True,
  )
  found, new_state = {}, {}
  if turn.segmentor:
    new_state = model_state
    found['segmentor'], _, at_logits = pull(_SEGMENTOR)
    metrics = metrics | measures.squares(*at_logits, known=turn.adversary)
  if turn.discriminator:
    _, found['discriminator'], _ = pull(_DISCRIMINATOR)
  return found, both, new_state, metrics


def train_step(
    state, batch, *, method: Method, turn: Turn | None = None,
    axis_name: str | None = None,
):
  """The gradients of those whose turn it is, and their updates.

  Sums and counts cross devices, never means: how a batch is split does not
  matter. Where a loss or a gradient is not finite, neither network changes.

  Args:
    state: TrainState.
    batch: 'image' [B,H,W,3] float in 0..1 and 'label' [B,H,W] int, void 255:
      this device's part; `unlabelled.taught` says what else may be there.
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
  found, *others = in_parts(gradients, state, batch, method, turn, axis_name)
  # Together: one all-reduce.
  found, both, model_state, metrics = total(
      (without_frozen(found, method.optimizer), *others), axis_name
  )
  metrics = measures.complete(metrics, found, method.adversary, state.lambda_)
  finite = measures.finite(both, model_state, metrics)
  networks = learnt(state, found, model_state, finite, method)
  lambda_ = strength.after(state.lambda_, metrics, finite, method.adversary)
  return (
      state.replace(step=state.step + 1, lambda_=lambda_, **networks),
      metrics | {'dropped': 1 - finite.astype(jnp.float32)},
  )
