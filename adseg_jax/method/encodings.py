"""What the discriminator sees of a class map (Luc et al. 2016).

A class map is [B,h,w,C]: one-hot for the truth, probabilities for the
segmentor's. Rows of void pixels must be zero in both, or the discriminator
tells real from fake by the void borders; `class_maps` sees to that.
"""

import jax
import jax.numpy as jnp

VOID = 255


def one_hot(labels, num_classes: int, void: int = VOID):
  """[B,h,w] int -> [B,h,w,C] float, zero rows at void."""
  maps = jax.nn.one_hot(labels, num_classes)
  return jnp.where((labels == void)[..., None], 0, maps)


def basic(maps, images):
  """The class maps [B,h,w,C] themselves."""
  del images
  return maps


def product(maps, images):
  """Every class map times every channel of the image: -> [B,h,w,3C].

  Images are brought to [B,h,w,3] with an antialiased filter; channel 3c + k is
  class c times colour k.
  """
  b, h, w, _ = maps.shape
  images = jax.image.resize(images, (b, h, w, images.shape[-1]), 'linear')
  return (maps[..., :, None] * images[..., None, :]).reshape(b, h, w, -1)


def scaling(one_hot, probabilities, tau: float = 0.9):
  """Softens the true map towards the segmentor's, so that hard against soft
  is no give-away.

  With l the true class of a pixel and s the segmentor's probabilities:
  y_l = max(tau, s_l), y_c = s_c (1 - y_l) / (1 - s_l) for the others. Maps are
  [B,h,w,C]: rows sum to 1, or are zero at void.
  """
  true = (one_hot * probabilities).sum(-1, keepdims=True)
  confident = true >= tau
  # Where s_l >= tau the result is s itself; the quotient would be 0/0 at 1.
  rest = jnp.where(confident, 1.0, 1 - true)
  soft = jnp.where(one_hot > 0, tau, probabilities * ((1 - tau) / rest))
  void = one_hot.sum(-1, keepdims=True) == 0
  return jnp.where(void, 0, jnp.where(confident, probabilities, soft))


def class_maps(logits, labels, *, tau: float | None = None, void: int = VOID):
  """(real, fake) class maps [B,h,w,C] of a batch, both zero at void.

  Of logits and labels of one resolution. With tau, `scaling` softens the real.
  """
  real = one_hot(labels, logits.shape[-1], void)
  fake = jnp.where((labels == void)[..., None], 0, jax.nn.softmax(logits))
  return (real if tau is None else scaling(real, fake, tau)), fake
