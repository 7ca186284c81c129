"""Forms of convolutions that are faster on CPUs; the plain ones are in layers.

Each computes what its plain form computes; the tests hold values and gradients
equal. XLA on CPU runs some plain forms many times slower: the weight gradient
of a 1x1 convolution is ten times slower than the same matrix product, and a
convolution on three channels leaves most of a vector register empty.
`depthwise` is for all depthwise convolutions; others are chosen here.
"""

import functools

import jax
import jax.numpy as jnp

from adseg_jax.networks.fast import depthwise, products, tiles

__all__ = ['applies', 'depthwise', 'form', 'form_of_layer']


def applies(x) -> bool:
  """Whether a CPU computes on x: float32, of known size.

  An exported program has symbols for sides, and runs anywhere.
  """
  return (
      jax.default_backend() == 'cpu' and x.dtype == jnp.float32
      and all(isinstance(side, int) for side in x.shape)
  )


def form(x, kernel, stride: int, dilation: int, centred: bool):
  """(x, kernel) -> 'same' convolution, or None where the plain form is best."""
  centred = centred and stride > 1
  if kernel.shape[:2] == (1, 1) and (centred or stride == 1):
    return functools.partial(products.pointwise, stride=stride)
  if centred:
    return None
  if stride == dilation == 1 and _tiles_pay(x, kernel):
    return tiles.convolve
  if dilation == 1 and _patches_pay(x, kernel, stride):
    return functools.partial(products.patches, stride=stride)
  return None


def form_of_layer(layer, x):
  """(x, kernel) -> a `layers.Conv` before its bias, with its pool or mean.

  None where that is best computed as a convolution and what follows it.
  """
  if layer.mean and layer.size == 3:
    return products.mean
  simple = layer.dilation == layer.stride == 1
  if layer.pool and simple and x.shape[-1] <= 4 and min(x.shape[1:3]) > 1:
    return products.pooled
  return None


def _tiles_pay(x, kernel) -> bool:
  """Whether tiles are faster: where there are many channels.

  Measured on two cores, forward and backward: 64 to 64 channels gain nothing
  on 224x224 pixels and a fifth on 56x56, 128 to 128 take half the time, 32 to
  32 take twice. Of few tiles, the kernel's transform would be most of it.
  """
  size, _, i, o = kernel.shape
  return (
      x.shape[1] * x.shape[2] >= 100
      and min(i, o) >= 32 and i * o >= 64 * 64
      and (size == 3 or size >= 7)
  )


def _patches_pay(x, kernel, stride: int) -> bool:
  """Whether one matrix product is faster: where the map is small.

  The patches of four images then take no more memory than the kernel. Examples
  are the 7x7 kernel to 4096 channels on the 7x7 pixels that VGG-16 leaves of
  224x224, where XLA's convolution reaches a quarter of the product's speed, and
  the strided ones of a patch discriminator, whose input gradients are slower
  yet. The number of images does not count: it changes with that of devices,
  and the form should not.
  """
  pixels = -(-x.shape[1] // stride) * -(-x.shape[2] // stride)
  return 4 * pixels <= kernel.shape[3]
