"""Per-pixel and adversarial losses: pure functions, nothing is reduced.

Equations are those of Luc et al. 2016 (arXiv:1611.08408), as quoted by later
papers and ports.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp


def cross_entropy(logits, labels, *, void: int = 255):
  """-ln p of the true class, 0 where void: the terms of mce in equation 1.

  Logits [...,C], labels [...], a class or `void` -> [...], in nats.
  """
  classes = jnp.arange(logits.shape[-1], dtype=labels.dtype)
  classes = classes.reshape((1,) * labels.ndim + (-1,))
  # A comparison instead of a gather: its gradient needs no scatter.
  true = jnp.where(labels[..., None] == classes, logits, 0).sum(-1)
  loss = jax.nn.logsumexp(logits, axis=-1) - true
  return jnp.where(labels == void, 0, loss)


def weigh(terms, labels, class_weights):
  """Terms [...], 0 at void, times the weight of their class, if it has one."""
  if not class_weights:
    return terms
  weights = jnp.asarray(class_weights, terms.dtype)
  return terms * weights.at[labels].get(mode='fill', fill_value=0)


def binary_cross_entropy(logits, target):
  """bce(a, z) = -[z ln a + (1 - z) ln(1 - a)], a the sigmoid of the logits.

  The target z, 1 real, 0 fake, broadcasts against them. Like logits, in nats.
  """
  # Not softplus(logits) - target logits: of a large logit, that loses the
  # gradient by cancellation long before it is 0.
  real, fake = jax.nn.softplus(-logits), jax.nn.softplus(logits)
  return target * real + (1 - target) * fake


class AdversarialObjective(NamedTuple):
  """The two players' losses, per logit.

  Attributes:
    discriminator: (real_logits, fake_logits) -> like logits; what the
      discriminator minimises.
    segmentor: (fake_logits) -> like logits; what lambda multiplies in the
      segmentor's loss.
    probability: (logits) -> like logits; how sure the discriminator is that a
      map is real, 0 to 1, for logs.
  """

  discriminator: Callable
  segmentor: Callable
  probability: Callable = jax.nn.sigmoid


def _discriminator_bce(real_logits, fake_logits):
  """Equation 2."""
  return binary_cross_entropy(real_logits, 1) + binary_cross_entropy(
      fake_logits, 0
  )


OBJECTIVES: dict[str, AdversarialObjective] = {
    # Equation 2, and the non-saturating form of equation 3 that the paper
    # trains with (Goodfellow et al. 2014, arXiv:1406.2661).
    'bce': AdversarialObjective(
        _discriminator_bce, lambda fake: binary_cross_entropy(fake, 1)
    ),
    # Equation 3 as it stands.
    'minimax': AdversarialObjective(
        _discriminator_bce, lambda fake: -binary_cross_entropy(fake, 0)
    ),
    # Mao et al. 2017, arXiv:1611.04076, without its factor 1/2.
    'lsgan': AdversarialObjective(
        lambda real, fake: (real - 1) ** 2 + fake**2,
        lambda fake: (fake - 1) ** 2,
        lambda logits: jnp.clip(logits, 0, 1),
    ),
    # Lim and Ye 2017, arXiv:1705.02894.
    'hinge': AdversarialObjective(
        lambda real, fake: jax.nn.relu(1 - real) + jax.nn.relu(1 + fake),
        lambda fake: -fake,
    ),
}


def smoothed(objective: AdversarialObjective, share: float):
  """One-sided label smoothing: true maps count as fake by a share.

  Salimans et al. 2016 (arXiv:1606.03498): only real labels, since a fake one
  above 0 would keep the segmentor where it is. With bce its 1 becomes
  1 - share: bce(a, 1 - share).

  Args:
    objective: its discriminator's loss is R(real) + F(fake), which becomes
      (1 - share) R(real) + share F(real) + F(fake), but for a constant.
    share: 0 to 0.5; 0 leaves the objective as it is.
  """
  if not share:
    return objective
  loss = objective.discriminator

  def smooth(real, fake):
    other = loss(jnp.zeros_like(real), real) - loss(real, jnp.zeros_like(real))
    return loss(real, fake) + share * other  # F(real) - R(real)

  return objective._replace(discriminator=smooth)


def hybrid(logits, labels, real_logits, fake_logits, weight):
  """Equation 1: sum mce - lambda [bce(a(x, y), 1) + bce(a(x, s(x)), 0)].

  A scalar, summed over pixels and images, as the paper has it. Logits are the
  segmentor's [B,h,w,C], and the discriminator's [B] on true and on its maps;
  the weight is lambda; void is 255.
  """
  adversarial = _discriminator_bce(real_logits, fake_logits).sum()
  return cross_entropy(logits, labels).sum() - weight * adversarial
