"""What keeps the discriminator smooth where the data are."""

import jax
import jax.numpy as jnp

from adseg_jax.config import Adversary


def r1(a, y, mean, adversary: Adversary, due: bool):
  """The R1 penalty: weight / 2 E |gradient of a(x, y) by y|^2.

  Mescheder et al. 2018 (arXiv:1801.04406), on true maps only; lazily, as
  Karras et al. 2020 (arXiv:1912.04958) have it: in one step of k, k times. An
  image's logit is the mean of its logits, where it has several. Symbols are
  those of `step.losses`.

  Returns:
    What is added to the discriminator's loss, 0 where none is due; metrics:
    'r1' is the mean of the squared norms.
  """
  if not due:
    return jnp.float32(0), {}

  def logit(y):
    (logits,) = a(y)
    return logits.reshape(len(y), -1).mean(1).sum()

  size = mean((jax.grad(logit)(y) ** 2).sum((1, 2, 3)))
  return 0.5 * adversary.r1 * adversary.r1_every * size, {'r1': size}
