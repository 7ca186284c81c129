"""Convolution as one matrix product, of all patches and the kernel."""

import jax.numpy as jnp


def convolve(x, kernel, stride: int):
  """'Same' convolution, equal to the plain one but for rounding.

  Args:
    x: [B,H,W,I].
    kernel: [k,k,I,O].
    stride: step between outputs, in pixels.

  Returns:
    [B,ceil(H/stride),ceil(W/stride),O].
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
