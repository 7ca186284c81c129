"""The two players' losses, and the discriminator's gradients for both."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from adseg_jax import encodings
from adseg_jax.losses import OBJECTIVES
from adseg_jax.pyramid import local_normalize, standardize
from adseg_jax.training.precision import cast

# Least share of an image in the cotangent of the discriminator's loss: what
# is pulled back once is divided by it. Where the loss is flat (a saturated
# cross-entropy, a hinge beyond its margin) this keeps the segmentor's
# gradient, and moves the discriminator's by a millionth of an image's.
FLOOR = 2.0**-20


class Meeting(NamedTuple):
  """A batch before the discriminator.

  Attributes:
    losses: lambda x the segmentor's adversarial loss, the discriminator's
      loss: scalars.
    metrics: losses and how right the discriminator is: scalars.
    fooling: () -> gradient of the first loss at the segmentor's logits.
    learning: () -> gradient of the second at the discriminator's parameters.
  """

  losses: tuple
  metrics: dict
  fooling: object
  learning: object


def meet(logits, params, labels, images, average, method, together: bool):
  """The segmentor's maps and the true ones before the discriminator.

  Args:
    logits: the segmentor's, [B,h,w,C].
    params: the discriminator's.
    labels: [B,h,w] int, void 255.
    images: [B,H,W,3] in 0..1.
    average: terms of a loss -> their mean over the batch of all devices.
    method: static.
    together: whether both gradients are wanted, not one or the other.

  Returns:
    Meeting.
  """
  tau = method.adversary.tau if method.adversary.encoding == 'scaling' else None
  real, fake, pull_map = _maps(logits, labels, tau)
  judge = _make_judge(images, method)
  logit = jax.eval_shape(judge, fake, params)
  once = together and logit.ndim == 1
  return (_one_pullback if once else _two_pullbacks)(
      judge, real, fake, params, pull_map,
      lambda *logits: _losses(*logits, average, method.adversary),
      FLOOR * average(jnp.ones(1)),
  )


def _maps(logits, labels, tau):
  """The true map, the segmentor's, and what pulls the latter to the logits.

  The true map may be softened by the segmentor's, but no player's loss
  reaches the segmentor that way: only its own map is to fool.
  """
  real = encodings.class_maps(logits, labels, tau=tau)[0]
  fake, pull = jax.vjp(
      lambda logits: encodings.class_maps(logits, labels)[1], logits
  )
  return real, fake, lambda gradient: pull(gradient)[0]


def _two_pullbacks(judge, real, fake, params, pull_map, losses_of, _floor):
  """Each player's loss on its own, for a logit per pixel or one of the two."""
  real, pull_real = jax.vjp(lambda p: judge(real, p), params)
  fake, pull_fake = jax.vjp(judge, fake, params)
  losses, pull, metrics = jax.vjp(losses_of, real, fake, has_aux=True)

  def learning():
    to_real, to_fake = pull(_one_of_two(1))
    return jax.tree.map(
        jnp.add, pull_real(to_real)[0], pull_fake(to_fake)[1]
    )

  return Meeting(
      losses, metrics,
      lambda: pull_map(pull_fake(pull(_one_of_two(0))[1])[0]), learning,
  )


def _one_pullback(judge, real, fake, params, pull_map, losses_of, floor):
  """One logit an image: the two gradients at a map differ by one factor.

  What the discriminator's loss pulls back to a map is its cotangent at the
  image's logit times the logit's gradient; the segmentor's loss has another
  cotangent and the same gradient. Real and fake maps go through at once.
  """
  count = len(fake)
  logits, pull_judge = jax.vjp(
      lambda maps, params: judge(jnp.concatenate([real, maps]), params),
      fake, params,
  )
  losses, pull, metrics = jax.vjp(
      losses_of, logits[:count], logits[count:], has_aux=True
  )
  wanted = pull(_one_of_two(0))[1]
  to_real, to_fake = pull(_one_of_two(1))
  to_fake = jnp.where(
      jnp.abs(to_fake) < floor, jnp.copysign(floor, to_fake), to_fake
  )
  to_map, to_params = pull_judge(jnp.concatenate([to_real, to_fake]))
  factor = (wanted / to_fake).reshape(-1, 1, 1, 1)
  return Meeting(
      losses, metrics, lambda: pull_map(to_map * factor), lambda: to_params
  )


def _one_of_two(index: int):
  """Cotangents that pull one of the two players' losses back.

  Half of what a pullback returns belongs to the other player; it is never
  used, and the compiler drops it. This is all that keeps one network's loss
  out of the other's gradient.
  """
  return tuple(jnp.float32(i == index) for i in range(2))


def _losses(real, fake, average, adversary):
  """((lambda x the segmentor's loss, the discriminator's loss), metrics)."""
  objective = OBJECTIVES[adversary.objective]
  sure_real, sure_fake = map(objective.probability, (real, fake))
  metrics = {
      'adversarial_loss': average(objective.segmentor(fake)),
      'discriminator_loss': average(objective.discriminator(real, fake)),
      'd_real': average(sure_real),
      'd_fake': average(sure_fake),
      'd_real_accuracy': average(jnp.float32(sure_real > 0.5)),
      'd_fake_accuracy': average(jnp.float32(sure_fake < 0.5)),
  }
  return (
      adversary.weight * metrics['adversarial_loss'],
      metrics['discriminator_loss'],
  ), metrics


def _make_judge(images, method):
  """(class maps, parameters) -> logits, in the method's encoding."""
  encode = encodings.basic
  if method.adversary.encoding == 'product':
    encode = encodings.product
    normalized = local_normalize(images)
  else:
    normalized = standardize(images)

  def judge(maps, params):
    logits = method.discriminator.apply(
        {'params': cast(params, method.precision)},
        encode(maps, normalized), normalized,
    )
    return cast(logits, 'float32')

  return judge
