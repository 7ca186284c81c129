"""Convolution, pooling and resizing in their plain forms.

On a CPU, forms that compute the same faster stand in for some: see `fast`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from adseg_jax.networks import fast
from adseg_jax.networks.extents import inside


def channels(count: int, width: float) -> int:
  """A paper's channel count times the width factor, at least 1."""
  return max(1, round(count * width))


def convolve(
    x, kernel, *, stride: int = 1, dilation: int = 1, centred: bool = False
):
  """'Same': [B,H,W,I], [k,k,I,O] -> [B,ceil(H/stride),ceil(W/stride),O].

  The stride is the step between outputs, the dilation that between taps.
  Centred, each output is around the first pixel of its cell of stride x stride,
  as padding by half the kernel has it, instead of the cell's middle.
  """
  if fast.applies(x) and (
      form := fast.form(x, kernel, stride, dilation, centred)
  ):
    return form(x, kernel)
  before = (len(kernel) - 1) * dilation // 2
  return _plain(x, kernel, stride, dilation, before if centred else None)


def _plain(x, kernel, stride, dilation, before, groups: int = 1):
  """Padded before as said, or as 'SAME' has it."""
  reach = (len(kernel) - 1) * dilation
  return jax.lax.conv_general_dilated(
      x, kernel, (stride, stride),
      'SAME' if before is None else ((before, reach - before),) * 2,
      rhs_dilation=(dilation, dilation), feature_group_count=groups,
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def convolve_depthwise(x, kernel, *, stride: int = 1, dilation: int = 1):
  """[B,H,W,C], [k,k,1,C] -> [B,ceil(H/stride),ceil(W/stride),C].

  Each channel by itself. Output i lies at the same pixels whatever the side is:
  where the stride divides it, 'same' convolution's.
  """
  reach = (len(kernel) - 1) * dilation
  before = max(0, reach + 1 - stride) // 2
  if fast.applies(x) and 1 in (stride, dilation):
    return fast.depthwise.convolve(x, kernel, stride, dilation, before)
  return _plain(x, kernel, stride, dilation, before, groups=x.shape[-1])


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


def linear_taps(size: int, target: int):
  """Lower and upper source index [target] and the upper one's weight.

  (i + 1/2) size / target - 1/2 in whole numbers over a common denominator. Of
  symbols, the sides of an exported program, exact while 2 size target < 2^31.
  """
  known = isinstance(size, int) and isinstance(target, int)
  xp = np if known else jnp
  place = (2 * xp.arange(target) + 1) * size - target
  place = xp.clip(place, 0, 2 * target * (size - 1))
  lower, rest = place // (2 * target), place % (2 * target)
  weight = rest.astype(xp.float32) / xp.float32(2 * target)
  lower = lower.astype(xp.int32)
  return lower, xp.minimum(lower + 1, size - 1), weight


def _resize_axis(x, target: int, axis: int):
  if x.shape[axis] == target:
    return x
  lower, upper, weight = linear_taps(x.shape[axis], target)
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
    mean: average over the image, without activation.
    centred: as of `convolve`.
  """

  features: int
  size: int = 3
  stride: int = 1
  dilation: int = 1
  pool: bool = False
  activation: object = nn.relu
  mean: bool = False
  centred: bool = False
  kernel_init: object = nn.initializers.he_normal()

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
    parts = jax.tree.map(lambda x: x.astype(kernel.dtype), parts)
    form = len(parts) == 1 and fast.applies(*parts) and fast.form_of_layer(
        self, *parts
    )
    if form:
      x = form(*parts, kernel)
    else:
      x = self.join(parts, jnp.split(kernel, np.cumsum(depths)[:-1], 2))
    return jax.tree.map(lambda x: self.finish(x, bias), x)

  def join(self, parts, kernels):
    """The convolution of parts joined, a sum; its pool or its mean, if any."""
    *others, last = (
        jax.tree.map(lambda x, kernel=kernel: convolve(
            x, kernel, stride=self.stride, dilation=self.dilation,
            centred=self.centred,
        ), part) for part, kernel in zip(parts, kernels, strict=True)
    )
    x = jax.tree.map(lambda x: sum(others, x), last)
    if self.mean:
      return x.mean((1, 2), dtype=jnp.float32)
    return jax.tree.map(max_pool, x) if self.pool else x

  def finish(self, x, bias):
    """Bias and activation."""
    x = x + bias.reshape((1,) * (x.ndim - 1) + (-1,))
    return self.activation(x) if self.activation else x


class DepthwiseConv(nn.Module):
  """Convolution of each channel by itself; attributes are Conv's."""

  size: int = 3
  stride: int = 1
  dilation: int = 1
  activation: object = nn.relu
  kernel_init: object = nn.initializers.he_normal()

  @nn.compact
  def __call__(self, x, extent=None):
    """[B,H,W,C] -> [B,ceil(H/stride),ceil(W/stride),C].

    With an Extent, each picture is convolved as if alone.
    """
    shape = self.size, self.size, 1, x.shape[-1]
    kernel = self.param('kernel', self.kernel_init, shape)
    bias = self.param('bias', nn.initializers.zeros, shape[-1:])
    x = convolve_depthwise(
        inside(x, extent).astype(kernel.dtype), kernel, stride=self.stride,
        dilation=self.dilation,
    )
    x = x + bias.reshape(1, 1, 1, -1)
    return self.activation(x) if self.activation else x
