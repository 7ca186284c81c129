"""A convolution on few channels and a 2x2 pool, in 2x2 blocks of pixels."""

import functools

import jax
import jax.numpy as jnp
import numpy as np


def space_to_depth(x):
  """[B,H,W,C] with even sides -> [B,H/2,W/2,4C], channel (row, column, c)."""
  b, h, w, c = x.shape
  x = x.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5)
  return x.reshape(b, h // 2, w // 2, 4 * c)


def _phase_kernel(kernel):
  """[k,k,I,O] -> [m,m,4I,4O]: the four phases of a 2x2 grid at once.

  Output phase p and tap t read input row 2i + p + t - k // 2: block i + d and
  phase q with 2d + q = p + t - k // 2.
  """
  k, _, i, o = kernel.shape
  reach = (k // 2 + 1) // 2
  m = 2 * reach + 1
  rows = [[(divmod(p + t - k // 2, 2)) for t in range(k)] for p in range(2)]
  place = np.zeros((m, 2, 2, k), np.float32)
  for p in range(2):
    for t, (block, q) in enumerate(rows[p]):
      place[block + reach, q, p, t] = 1
  place = jnp.asarray(place, kernel.dtype)
  out = jnp.einsum('aqpt,bruv,tvio->abqripuo', place, place, kernel)
  return out.reshape(m, m, 4 * i, 4 * o)


def convolve_and_pool(x, kernel):
  """max_pool(convolve(x, kernel)), for few input channels and an odd kernel.

  The convolution runs on 2x2 blocks as channels, the pool is a maximum over
  output channels. Sides, above one pixel, are floored as in max_pool.
  """
  b, h, w, _ = x.shape
  x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)))
  x = jax.lax.conv_general_dilated(
      space_to_depth(x), _phase_kernel(kernel), (1, 1), 'SAME',
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )
  x = x[:, :h // 2, :w // 2].reshape(b, h // 2, w // 2, 4, -1)
  return functools.reduce(jnp.maximum, [x[:, :, :, i] for i in range(4)])
