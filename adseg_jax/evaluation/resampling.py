"""Between a picture's own size and the sizes that a segmentor sees."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from adseg_jax.networks.layers import linear_taps


class Taps(NamedTuple):
  """Bilinear resizing along an axis, as data: any sizes share one program.

  For each target pixel two source indices, int32, and the upper one's weight.
  """

  lower: np.ndarray
  upper: np.ndarray
  weight: np.ndarray


def taps(sizes, targets, length: int, mirrored: bool = False) -> Taps:
  """Taps [B,length] from sides `sizes` to sides `targets`.

  Beyond an image's target side its last pixel is repeated. With `mirrored`
  they begin at the other end.
  """
  rows = []
  for size, target in zip(sizes, targets, strict=True):
    margin = 0, length - target
    rows.append([
        np.pad(x[::-1] if mirrored else x, margin, 'edge')
        for x in linear_taps(size, target)
    ])
  return Taps(*map(np.stack, zip(*rows, strict=True)))


def resample(maps, rows: Taps, columns: Taps):
  """Maps [B,h,w,C] -> [B,H,W,C], by taps of their own, [B,H] and [B,W].

  Bilinear, as `layers.resize` does it.
  """
  def one(x, axis, taps):
    shape = [-1 if i == axis else 1 for i in range(3)]
    weight = taps.weight.reshape(shape)
    return (
        jnp.take(x, taps.lower, axis, mode='clip') * (1 - weight)
        + jnp.take(x, taps.upper, axis, mode='clip') * weight
    )

  return jax.vmap(
      lambda x, rows, columns: one(one(x, 0, rows), 1, columns)
  )(maps, rows, columns)


def resample_on_host(maps: np.ndarray, size) -> np.ndarray:
  """[h,w,C] -> [*size,C] float32: `resample` of one image, in NumPy."""
  for axis, target in enumerate(size):
    if maps.shape[axis] != target:
      lower, upper, weight = linear_taps(maps.shape[axis], target)
      weight = weight.reshape([-1 if i == axis else 1 for i in range(3)])
      below, above = maps.take(lower, axis), maps.take(upper, axis)
      maps = below * (1 - weight) + above * weight
  return maps


def resize_picture(image: np.ndarray, size) -> np.ndarray:
  """A picture at another size; bicubic, wider where it reduces.

  Pillow's filter on floating-point numbers: what training does with
  --data.size, but for its rounding to whole grey levels, which an exported
  program can't repeat. uint8 [h,w,3] -> float32 [*size,3] in 0..255.
  """
  planes = [
      np.asarray(Image.fromarray(plane).resize(
          tuple(size)[::-1], Image.Resampling.BICUBIC
      )) for plane in np.moveaxis(image.astype(np.float32), -1, 0)
  ]
  return np.clip(np.stack(planes, -1), 0, 255)
