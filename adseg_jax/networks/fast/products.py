"""Convolutions as matrix products, or as convolutions of other shapes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np


def pointwise(x, kernel, stride: int = 1):
  """[B,H,W,I], [1,1,I,O] -> [B,ceil(H/stride),ceil(W/stride),O].

  Over pixels as one axis: of three, XLA's product for the kernel's gradient
  takes up to twice as long.
  """
  x = x[:, ::stride, ::stride]
  *pixels, i = x.shape
  return (x.reshape(-1, i) @ kernel[0, 0]).reshape(*pixels, -1)


def patches(x, kernel, stride: int):
  """'Same' convolution as one product, of all patches and the kernel.

  [B,H,W,I], [k,k,I,O] -> [B,ceil(H/stride),ceil(W/stride),O].
  """
  size, o = kernel.shape[0], kernel.shape[3]
  h, w = (-(-side // stride) for side in x.shape[1:3])
  margins = [
      max((count - 1) * stride + size - side, 0)
      for count, side in zip((h, w), x.shape[1:3], strict=True)
  ]
  x = jnp.pad(x, (
      (0, 0), *((margin // 2, margin - margin // 2) for margin in margins),
      (0, 0),
  ))
  cut = jnp.stack([
      x[:, row:row + (h - 1) * stride + 1:stride,
        column:column + (w - 1) * stride + 1:stride]
      for row in range(size) for column in range(size)
  ], 3)
  rows = cut.reshape(len(x) * h * w, -1)
  return (rows @ kernel.reshape(-1, o)).reshape(-1, h, w, o)


def mean(x, kernel):
  """The mean over the image of a 3x3 convolution: [B,H,W,I] -> [B,O].

  A product with the sums of what each tap of the kernel reads.
  """
  def three(y, axis):
    whole = y.sum(axis, dtype=jnp.float32)
    first = jax.lax.index_in_dim(y, 0, axis, keepdims=False)
    last = jax.lax.index_in_dim(y, y.shape[axis] - 1, axis, keepdims=False)
    return jnp.stack([whole - last, whole, whole - first], axis)

  sums = three(three(x, 1), 2) / (x.shape[1] * x.shape[2])
  return jnp.einsum('bhwi,hwio->bo', sums, kernel.astype(sums.dtype))


def pooled(x, kernel):
  """2x2 max pool of a 'same' convolution of few channels, with an odd kernel.

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
  place = np.zeros((m, 2, 2, k), np.float32)
  for p, t in np.ndindex(2, k):
    block, q = divmod(p + t - k // 2, 2)
    place[block + reach, q, p, t] = 1
  place = jnp.asarray(place, kernel.dtype)
  out = jnp.einsum('aqpt,bruv,tvio->abqripuo', place, place, kernel)
  return out.reshape(m, m, 4 * i, 4 * o)
