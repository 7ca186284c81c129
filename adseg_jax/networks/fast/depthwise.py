"""Depthwise convolution as a sum of shifted slices, with its own gradients.

XLA on CPU computes a grouped convolution at about 1 GFLOP/s. The sum of slices
is one loop, twenty times as fast. Its automatic gradients are not: that of the
input would be a sum of pads, that of the kernel a reduction of a product of
slices, which XLA runs on one vector lane.
"""

import functools

import jax
import jax.numpy as jnp

from adseg_jax.networks.extents import ceil_to

# Output rows that a step of the kernel's gradient takes, written out in it:
# fewer cost time, more cost compilation.
ROWS = 4


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def convolve(x, kernel, stride: int, dilation: int, before: int):
  """[B,H,W,C], [k,k,1,C] -> [B,ceil(H/stride),ceil(W/stride),C].

  Behind `before` rows and columns of zeros; the stride, from output to output,
  or the dilation, from tap to tap, is 1.
  """
  size = tuple(-(-side // stride) for side in x.shape[1:3])
  return _slide(x, kernel[:, :, 0], (before, before), size, stride, dilation)


def _forward(x, kernel, *form):
  return convolve(x, kernel, *form), (x, kernel)


def _backward(stride, dilation, before, kept, gradient):
  (x, kernel), form = kept, (stride, dilation, before)
  return (
      _input_gradient(gradient, kernel[:, :, 0], x.shape, *form),
      _kernel_gradient(x, gradient, len(kernel), *form),
  )


convolve.defvjp(_forward, _backward)


def _framed(x, before, after_last):
  """Zeros before, and as many behind that each side has `after_last`."""
  margins = [
      (low, stop - low - side, 0) for low, stop, side
      in zip(before, after_last, x.shape[1:3], strict=True)
  ]
  return jax.lax.pad(
      x, jnp.zeros((), x.dtype), [(0, 0, 0), *margins, (0, 0, 0)]
  )


def _slide(x, kernel, before, size, stride=1, dilation=1):
  """Sum over the taps of a kernel [m,n,C]: [B,H,W,C] -> [B,*size,C]."""
  x = _framed(x, before, [
      (count - 1) * stride + (taps - 1) * dilation + 1
      for count, taps in zip(size, kernel.shape, strict=False)
  ])
  total, (b, _, _, c) = 0, x.shape
  # A slice of it is one operation, kernel[i, j] several.
  weights = kernel[None]
  for i in range(kernel.shape[0]):
    for j in range(kernel.shape[1]):
      row, column = i * dilation, j * dilation
      part = jax.lax.slice(
          x, (0, row, column, 0),
          (b, row + (size[0] - 1) * stride + 1,
           column + (size[1] - 1) * stride + 1, c),
          (1, stride, stride, 1),
      )
      total += part * jax.lax.slice(
          weights, (0, i, j, 0), (1, i + 1, j + 1, c)
      )
  return total


def _input_gradient(gradient, kernel, shape, stride, dilation, before):
  """Each phase of the input's pixels, modulo the stride, from its own taps."""
  b, h, w, c = shape
  size = -(-h // stride), -(-w // stride)
  phases = [
      [
          _slide(
              gradient, kernel[rows][:, columns][::-1, ::-1], (low, left),
              size, dilation=dilation,
          ) for columns, left in _phases(kernel, stride, dilation, before)
      ] for rows, low in _phases(kernel, stride, dilation, before)
  ]
  if stride == 1:
    return phases[0][0]
  x = jnp.stack([jnp.stack(row, 3) for row in phases], 2)
  return x.reshape(b, size[0] * stride, size[1] * stride, c)[:, :h, :w]


def _phases(kernel, stride, dilation, before):
  """(taps that a phase meets, zeros before the gradient) of each phase."""
  for phase in range(stride):
    first = (phase + before) % stride
    taps = slice(first, None, stride)
    count = len(range(len(kernel))[taps])
    yield taps, (count - 1) * dilation - (phase + before - first) // stride


def _kernel_gradient(x, gradient, k, stride, dilation, before):
  """A loop over rows: products are added to a sum for each column and tap.

  Only at the end are columns added up, so that each step is a plain one over
  vectors of channels.
  """
  b, h, w, c = gradient.shape
  rows, reach = ceil_to(h, ROWS), (k - 1) * dilation + 1
  x = _framed(x, (before, before), [
      (count - 1) * stride + reach for count in (rows, w)
  ])
  gradient = _framed(gradient, (0, 0), (rows, w))
  seen = (ROWS - 1) * stride + reach

  def add(step, sums):
    image, row = step // (rows // ROWS), step % (rows // ROWS) * ROWS
    part = jax.lax.dynamic_slice(
        x, (image, row * stride, 0, 0), (1, seen, x.shape[2], c)
    )[0]
    weights = jax.lax.dynamic_slice(
        gradient, (image, row, 0, 0), (1, ROWS, w, c)
    )[0]
    return tuple(
        total + sum(
            jax.lax.slice(
                part, (i * stride, j * dilation, 0),
                (i * stride + reach, j * dilation + (w - 1) * stride + 1, c),
                (dilation, stride, 1),
            ) * jax.lax.slice_in_dim(weights, i, i + 1)
            for i in range(ROWS)
        ) for j, total in enumerate(sums)
    )

  start = (jnp.zeros((k, w, c), x.dtype),) * k
  sums = jax.lax.fori_loop(0, b * rows // ROWS, add, start)
  return jnp.stack([total.sum(1) for total in sums], 1)[:, :, None]
