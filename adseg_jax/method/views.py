"""A strong view of an image: other colours, and a hole.

What is where stays where it is, so that labels of the image are labels of the
view: colours change more than in training (FixMatch, Sohn et al. 2020,
arXiv:2001.07685, draws from more kinds), and a rectangle is hidden (cutout),
whose pixels nobody can know (French et al. 2020, arXiv:1906.01916).
"""

import jax
import jax.numpy as jnp

from adseg_jax.method import augmentation
from adseg_jax.networks.segmentors.resolution import sides

# Brightness is shifted by up to this much of full range, contrast and
# saturation are scaled by 1 - COLOUR to 1 + COLOUR. Chosen.
COLOUR = 0.5
# What a hole shows: the middle of the range, as the padding of a crop.
HIDDEN = 0.5
# Luma of red, green and blue: ITU-R BT.601.
_LUMA = (0.299, 0.587, 0.114)


def strong(images, keys, stride: int):
  """A strong view of each image [B,H,W,3] in 0..1, by its typed key.

  Holes are of whole cells, of `stride` pixels.

  Returns:
    Views [B,H,W,3] in 0..1; bool [B,h,w], the cells that are hidden.
  """
  views, places = jax.vmap(_recoloured)(images, keys)
  size = images.shape[1:3]
  cells = sides(size, stride)
  change = augmentation.draw(places, cells, ('cutout',))
  hole = augmentation.hole(size, change, stride)[..., None]
  return jnp.where(hole, HIDDEN, views), augmentation.hole(cells, change, 1)


def _recoloured(image, key):
  """([H,W,3] in other colours, a key for what is drawn next)."""
  key, after = jax.random.split(key)
  drawn = jax.random.uniform(key, (3,), minval=-COLOUR, maxval=COLOUR)
  return recoloured(image, drawn[0], 1 + drawn[1], 1 + drawn[2]), after


def recoloured(image, shift, contrast, saturation):
  """Scales contrast, then saturation, shifts brightness, clips to 0..1.

  Contrast is about the image's mean luma, saturation about each pixel's.
  """
  mean = _luma(image).mean()
  image = mean + contrast * (image - mean)
  grey = _luma(image)
  return jnp.clip(grey + saturation * (image - grey) + shift, 0, 1)


def _luma(image):
  """[H,W,3] -> [H,W,1]."""
  colours = jnp.split(image, 3, axis=-1)
  return sum(share * x for share, x in zip(_LUMA, colours, strict=True))
