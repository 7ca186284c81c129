"""Convolution, pooling and resizing, in the forms that are fast.

Each function computes what its plain form computes; the tests hold values and
gradients equal. XLA on CPU runs some plain forms many times slower: the
gradient of a max pool by window is serial, the weight gradient of a 1x1
convolution is ten times slower than the same matrix product, and a
convolution on three channels leaves most of a vector register empty.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from adseg_jax.networks import patches, tiles
from adseg_jax.networks.extents import inside
from adseg_jax.networks.initializers import he_normal

_DIMENSIONS = ('NHWC', 'HWIO', 'NHWC')


def channels(count: int, width: float) -> int:
  """A paper's channel count times the width factor, at least 1."""
  return max(1, round(count * width))


def convolve(x, kernel, *, stride: int = 1, dilation: int = 1):
  """'Same' convolution; a 1x1 kernel as a matrix product.

  Args:
    x: [B,H,W,I].
    kernel: [kh,kw,I,O].
    stride: step between outputs, in pixels.
    dilation: step between the kernel's taps, in pixels.

  Returns:
    [B,ceil(H/stride),ceil(W/stride),O].
  """
  if kernel.shape[:2] == (1, 1) and stride == 1:
    return x @ kernel[0, 0]
  if stride == dilation == 1 and _tiles_pay(x, kernel):
    return tiles.convolve(x, kernel)
  if dilation == 1 and _patches_pay(x, kernel, stride):
    return patches.convolve(x, kernel, stride)
  return jax.lax.conv_general_dilated(
      x, kernel, (stride, stride), 'SAME', rhs_dilation=(dilation, dilation),
      dimension_numbers=_DIMENSIONS,
  )


def _tiles_pay(x, kernel) -> bool:
  """Whether tiles are faster: on CPU, where there are many channels.

  Measured on two cores, forward and backward: 64 to 64 channels gain nothing
  on 224x224 pixels and a fifth on 56x56, 128 to 128 take half the time, 32 to
  32 take twice. Of few tiles, the kernel's transform would be most of it.
  """
  size, _, i, o = kernel.shape
  return (
      _on_cpu(x) and x.shape[1] * x.shape[2] >= 100
      and min(i, o) >= 32 and i * o >= 64 * 64
      and (size == 3 or size >= 7)
  )


def _patches_pay(x, kernel, stride: int) -> bool:
  """Whether one matrix product is faster: on CPU, where the map is small.

  The patches of four images then take no more memory than the kernel. Examples
  are the 7x7 kernel to 4096 channels on the 7x7 pixels that VGG-16 leaves of
  224x224, where XLA's convolution reaches a quarter of the product's speed, and
  the strided ones of a patch discriminator, whose input gradients are slower
  yet. The number of images does not count: it changes with that of devices,
  and the form should not.
  """
  pixels = -(-x.shape[1] // stride) * -(-x.shape[2] // stride)
  return _on_cpu(x) and 4 * pixels <= kernel.shape[3]


def _on_cpu(x) -> bool:
  """Float32 of known size on a CPU; programs to export have symbols."""
  return (
      jax.default_backend() == 'cpu' and x.dtype == jnp.float32
      and all(isinstance(side, int) for side in x.shape)
  )


def max_pool(x):
  """2x2 max pool of [B,H,W,C]; an odd last row or column is left out.

  A side of one pixel stays as it is, so that small images don't vanish.
  """
  for axis in (1, 2):
    half = x.shape[axis] // 2
    if half:
      x = jax.lax.slice_in_dim(x, 0, 2 * half, axis=axis)
      x = x.reshape(*x.shape[:axis], half, 2, *x.shape[axis + 1:])
      x = jnp.maximum(
          jax.lax.index_in_dim(x, 0, axis + 1, keepdims=False),
          jax.lax.index_in_dim(x, 1, axis + 1, keepdims=False),
      )
  return x


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
  output channels. Sides above one pixel are floored as in max_pool.
  """
  b, h, w, _ = x.shape
  if h < 2 or w < 2:
    return max_pool(convolve(x, kernel))
  x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)))
  x = convolve(space_to_depth(x), _phase_kernel(kernel))
  x = x[:, :h // 2, :w // 2].reshape(b, h // 2, w // 2, 4, -1)
  return functools.reduce(jnp.maximum, [x[:, :, :, i] for i in range(4)])


@functools.lru_cache
def linear_taps(size: int, target: int):
  """Lower and upper source index [target] and the upper one's weight."""
  position = (np.arange(target) + 0.5) * size / target - 0.5
  position = np.clip(position, 0, size - 1)
  lower = np.minimum(np.floor(position), size - 1).astype(np.int32)
  upper = np.minimum(lower + 1, size - 1)
  return lower, upper, (position - lower).astype(np.float32)


def _symbolic_taps(size, target):
  """`linear_taps` where a side is a symbol, as in an exported program.

  In whole numbers: (i + 1/2) size / target - 1/2 over a common denominator,
  which is exact while 2 size target is below 2^31.
  """
  place = (2 * jnp.arange(target) + 1) * size - target
  place = jnp.clip(place, 0, 2 * target * (size - 1))
  lower, rest = place // (2 * target), place % (2 * target)
  weight = rest.astype(jnp.float32) / jnp.float32(2 * target)
  return lower, jnp.minimum(lower + 1, size - 1), weight


def _resize_axis(x, target: int, axis: int):
  size = x.shape[axis]
  if size == target:
    return x
  known = isinstance(size, int) and isinstance(target, int)
  lower, upper, weight = (linear_taps if known else _symbolic_taps)(
      size, target
  )
  weight = weight.reshape((-1,) + (1,) * (x.ndim - axis - 1)).astype(x.dtype)
  weight = jnp.broadcast_to(weight, (target, *x.shape[axis + 1:]))
  weight = weight.reshape((1,) * axis + weight.shape)
  return (
      jnp.take(x, lower, axis=axis) * (1 - weight)
      + jnp.take(x, upper, axis=axis) * weight
  )


def resize(x, size: tuple[int, int]):
  """Bilinear resizing of [B,h,w,C] to [B,*size,C], pixel centres at half.

  Equals jax.image.resize with method 'bilinear' and antialias=False.
  """
  return _resize_axis(_resize_axis(x, size[0], 1), size[1], 2)


def _window_sums(x):
  """[B,H,W,C] -> [B,3,3,C]: the sum of what each tap of a 3x3 kernel reads."""
  def three(y, axis):
    whole = y.sum(axis, dtype=jnp.float32)
    first = jax.lax.index_in_dim(y, 0, axis, keepdims=False)
    last = jax.lax.index_in_dim(y, y.shape[axis] - 1, axis, keepdims=False)
    return jnp.stack([whole - last, whole, whole - first], axis)
  return three(three(x, 1), 2)


def mean_of_convolution(x, kernel):
  """convolve(x, kernel).mean((1, 2)) for a 3x3 kernel: [B,H,W,I] -> [B,O]."""
  pixels = x.shape[1] * x.shape[2]
  sums = _window_sums(x) / pixels
  return jnp.einsum('bhwi,hwio->bo', sums, kernel.astype(sums.dtype))


class Conv(nn.Module):
  """'Same' convolution with bias, and what follows it.

  Attributes:
    features: output channels.
    size: side of the square kernel.
    stride: step between outputs.
    dilation: step between taps.
    pool: 2x2 max pool afterwards. A maximum, the bias and ReLU commute, so
      the pool goes first and the rest works on a quarter of the pixels.
    activation: applied last, or None.
    mean: average over the image, for a 3x3 kernel without activation.
  """

  features: int
  size: int = 3
  stride: int = 1
  dilation: int = 1
  pool: bool = False
  activation: object = nn.relu
  mean: bool = False
  kernel_init: object = he_normal

  @nn.compact
  def __call__(self, *parts, extent=None):
    """[B,H,W,I] -> [B,h,w,features], or [B,features] with `mean`.

    Of several parts, without `mean`, the channels are joined. The last may be
    a tuple: of each, joined with the others, which are convolved once. With an
    Extent and one part, each picture is convolved as if alone.
    """
    if extent is not None:
      parts = [inside(part, extent) for part in parts]
    depths = [jax.tree.leaves(part)[0].shape[-1] for part in parts]
    kernel = self.param(
        'kernel', self.kernel_init,
        (self.size, self.size, sum(depths), self.features),
    )
    bias = self.param('bias', nn.initializers.zeros, (self.features,))
    if len(parts) == 1:
      x = self.multiply(parts[0].astype(kernel.dtype), kernel)
    else:
      x = self.join(parts, jnp.split(kernel, np.cumsum(depths)[:-1], 2))
    return jax.tree.map(lambda x: self.finish(x, bias), x)

  def join(self, parts, kernels):
    """The convolution of parts joined: a sum, since it is linear."""
    *others, last = (
        jax.tree.map(lambda x, kernel=kernel: convolve(
            x.astype(kernel.dtype), kernel, stride=self.stride,
            dilation=self.dilation,
        ), part) for part, kernel in zip(parts, kernels, strict=True)
    )
    x = jax.tree.map(lambda x: sum(others, x), last)
    return jax.tree.map(max_pool, x) if self.pool else x

  def multiply(self, x, kernel):
    """The convolution, with the pool or the mean where there is one."""
    if self.mean:
      return mean_of_convolution(x, kernel)
    if self.pool and x.shape[-1] <= 4 and self.dilation == self.stride == 1:
      return convolve_and_pool(x, kernel)
    x = convolve(x, kernel, stride=self.stride, dilation=self.dilation)
    return max_pool(x) if self.pool else x

  def finish(self, x, bias):
    """Bias and activation."""
    x = x + bias.reshape((1,) * (x.ndim - 1) + (-1,))
    return self.activation(x) if self.activation else x
