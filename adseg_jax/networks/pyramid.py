"""Image pyramids and local normalisation, before the first convolution."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from adseg_jax.networks.extents import extended, inside
from adseg_jax.networks.layers import resize

# Even binomial filter: its samples fall on the middle of two pixels, where
# bilinear resizing expects the pixels of a coarser level.
BINOMIAL = (1 / 8, 3 / 8, 3 / 8, 1 / 8)
# Side of the neighbourhood that Farabet et al. 2013 normalise over, in pixels
# of each scale; remembered, not checked.
WINDOW = 15
# Mean and standard deviation that bring RGB in 0..1 to about -2..2; our
# choice, near those of natural photographs.
MEAN, DEVIATION = 0.45, 0.25


def standardize(images):
  """RGB in 0..1 -> zero mean, unit deviation over natural images, roughly."""
  return (images - MEAN) / DEVIATION


def blur(x, taps, stride: int = 1, extent=None):
  """Separable filter of [B,H,W,C], at the edges over the taps inside.

  An even count of taps is centred between two pixels. A sum of shifted slices:
  XLA's depthwise convolution is slow on CPU.

  Returns:
    [B,ceil(H/stride),ceil(W/stride),C].
  """
  ends = x.shape[1:3]
  if extent is not None:
    ends = [extent.along(x, axis) for axis in (1, 2)]
  x = inside(x, extent)
  for axis, end in enumerate(ends, 1):
    x = _blur_axis(x, taps, stride, axis, end)
  return x


def _blur_axis(x, taps, stride, axis, end):
  size = x.shape[axis]
  margin = (len(taps) - 1) // 2, len(taps) // 2
  padded = jnp.pad(x, [margin if i == axis else (0, 0) for i in range(4)])
  # Fused with what came before, each tap would compute that again: 15 x 15
  # times for two filters in a row.
  padded = jax.lax.optimization_barrier(padded)
  total = 0
  for i, tap in enumerate(taps):
    total += tap * jax.lax.slice_in_dim(padded, i, i + size, stride, axis)
  share = _share(total.shape[axis], end, tuple(taps), stride)
  share = share.reshape(-1, *(
      total.shape[axis] if i == axis else 1 for i in (1, 2, 3)
  ))
  return total / share.astype(x.dtype)


def _share(number, end, taps, stride):
  """Sum of the taps that are inside, for each of the outputs along an axis.

  [1,number], or [B,number] where `end` is that of each picture, int32 [B]; 1
  where no tap is inside.
  """
  count = len(taps)
  sums = np.array([
      [sum(taps[low:high]) or 1 for high in range(count + 1)]
      for low in range(count + 1)
  ])
  # The sides of an exported program are symbols.
  xp = np if isinstance(end, int) else jnp
  end = xp.reshape(xp.asarray(end), (-1, 1))
  begin = (xp.arange(number) * stride - (count - 1) // 2)[None]
  low, high = xp.clip(-begin, 0, count), xp.clip(end - begin, 0, count)
  return xp.asarray(sums)[low, high]


def local_normalize(images, extent=None):
  """Zero mean and unit deviation over each pixel's neighbourhood, [B,H,W,3].

  Flat neighbourhoods stay near zero: a deviation below a hundredth of full
  range is noise, and is not amplified beyond that.
  """
  taps = (1 / WINDOW,) * WINDOW
  centred = images - blur(images, taps, extent=extent)
  variance = blur(centred**2, taps, extent=extent)
  return centred / jnp.maximum(jnp.sqrt(variance), 0.01)


def gaussian_pyramid(images, levels: int = 3, extent=None):
  """[B,H,W,C] -> levels arrays, each half the one before (rounded up)."""
  pyramid = [images]
  for _ in range(levels - 1):
    pyramid.append(blur(pyramid[-1], BINOMIAL, 2, extent))
  return pyramid


def laplacian_pyramid(images, levels: int = 3, extent=None):
  """What each level of the Gaussian pyramid has that the next one lacks.

  The last level is the low-pass rest (Burt and Adelson 1983). Sides are
  multiples of 2 ** (levels - 1), so that a pixel of a level is two of the one
  before.
  """
  pyramid = gaussian_pyramid(images, levels, extent)
  bands = [
      fine - resize(extended(coarse, extent), fine.shape[1:3])
      for fine, coarse in itertools.pairwise(pyramid)
  ]
  return [*bands, pyramid[-1]]
