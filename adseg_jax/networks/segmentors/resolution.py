"""Between the resolution of images and that of a segmentor's output."""

import jax.numpy as jnp
import numpy as np

from adseg_jax.networks.extents import Extent, ceil_to, extended, first
from adseg_jax.networks.layers import resize


def sides(size, stride: int) -> tuple[int, int]:
  """Height and width of the logits of images of a height and width."""
  return tuple(-(-side // stride) for side in size)


resize_logits = resize  # [B,h,w,C] -> [B,*size,C], bilinear


def at_pixels(logits, stride: int, size: tuple[int, int], sizes=None):
  """Logits of every pixel: [B,ceil(H/stride),ceil(W/stride),C] -> [B,H,W,C].

  Bilinear between the middles of cells. Of images of a size; int32 [B,2], if
  given, are height and width of the pictures in them.
  """
  grid = tuple(side * stride for side in logits.shape[1:3])
  if sizes is not None:
    logits = extended(logits, Extent(tuple(ceil_to(sizes, stride).T), grid))
  return first(resize(logits, grid), size)


def downsample_labels(labels, stride: int, void: int = 255):
  """The label that most pixels of each cell have; void counts as one.

  A logit lies at the middle of its cell, between pixels where the stride is
  even: no single pixel's label lies there. Of labels that are as frequent, one
  nearest to the middle is taken. Beyond the image, a cell is void.

  Returns:
    [B,h,w] int, h = ceil(H / stride): labels are picked, never mixed.
  """
  b, (h, w) = labels.shape[0], sides(labels.shape[1:], stride)
  margins = [(0, n * stride - side) for n, side in zip(
      (h, w), labels.shape[1:], strict=True
  )]
  cells = jnp.pad(labels, ((0, 0), *margins), constant_values=void)
  cells = cells.reshape(b, h, stride, w, stride).transpose(0, 1, 3, 2, 4)
  cells = cells.reshape(b, h, w, stride**2)
  count = (cells[..., :, None] == cells[..., None, :]).sum(-1)
  place = np.arange(stride) - (stride - 1) / 2
  distance = np.add.outer(place**2, place**2).ravel()
  nearness = 1 - distance / (distance.max() + 1)
  best = jnp.argmax(count + nearness.reshape(1, 1, 1, -1), -1, keepdims=True)
  return jnp.take_along_axis(cells, best, -1)[..., 0]
