"""Image pyramids and local normalisation, before the first convolution."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from adseg_jax.layers import resize

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


def blur(x, taps, stride: int = 1):
  """Separable filter of [B,H,W,C], at the edges over the taps inside.

  A sum of shifted slices: XLA's depthwise convolution is slow on CPU.

  Args:
    x: [B,H,W,C].
    taps: weights; an even count is centred between two pixels.
    stride: step between outputs, in pixels.

  Returns:
    [B,ceil(H/stride),ceil(W/stride),C].
  """
  return _blur_axis(_blur_axis(x, taps, stride, 1), taps, stride, 2)


def _blur_axis(x, taps, stride, axis):
  size = x.shape[axis]
  margin = (len(taps) - 1) // 2, len(taps) // 2
  padded = jnp.pad(x, [margin if i == axis else (0, 0) for i in range(4)])
  # Fused with what came before, each tap would compute that again: 15 x 15
  # times for two filters in a row.
  padded = jax.lax.optimization_barrier(padded)
  total = 0
  for i, tap in enumerate(taps):
    total += tap * jax.lax.slice_in_dim(padded, i, i + size, stride, axis)
  share = _share(size, tuple(taps), stride)
  share = share.reshape([-1 if i == axis else 1 for i in range(4)])
  return total / share.astype(x.dtype)


def _share(size, taps, stride):
  """Sum of the taps that are inside, for each output along an axis."""
  count, number = len(taps), (size + stride - 1) // stride
  sums = np.array([
      [np.cumsum((0, *taps[low:high]))[-1] for high in range(count + 1)]
      for low in range(count + 1)
  ])
  # The sides of an exported program are symbols.
  xp = np if isinstance(size, int) else jnp
  first = xp.arange(number) * stride - (count - 1) // 2
  low, high = xp.clip(-first, 0, count), xp.clip(size - first, 0, count)
  return xp.asarray(sums)[low, high]


def local_normalize(images):
  """Zero mean and unit deviation over each pixel's neighbourhood.

  Flat neighbourhoods stay near zero: a deviation below a hundredth of full
  range is noise, and is not amplified beyond that.

  Args:
    images: [B,H,W,3] in 0..1.

  Returns:
    [B,H,W,3].
  """
  taps = (1 / WINDOW,) * WINDOW
  centred = images - blur(images, taps)
  return centred / jnp.maximum(jnp.sqrt(blur(centred**2, taps)), 0.01)


def _halve(x):
  return blur(x, BINOMIAL, 2)


def gaussian_pyramid(images, levels: int = 3):
  """[B,H,W,C] -> levels arrays, each half the one before (rounded up)."""
  pyramid = [images]
  for _ in range(levels - 1):
    pyramid.append(_halve(pyramid[-1]))
  return pyramid


def laplacian_pyramid(images, levels: int = 3):
  """What each level of the Gaussian pyramid has that the next one lacks.

  The last level is the low-pass rest (Burt and Adelson 1983).
  """
  pyramid = gaussian_pyramid(images, levels)
  bands = [
      fine - resize(coarse, fine.shape[1:3])
      for fine, coarse in itertools.pairwise(pyramid)
  ]
  return [*bands, pyramid[-1]]
