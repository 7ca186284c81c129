"""Dilated-8 and its context module (Yu and Koltun 2016)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from adseg_jax.networks.extents import first, framed
from adseg_jax.networks.layers import Conv
from adseg_jax.networks.segmentors.resolution import sides
from adseg_jax.networks.segmentors.vgg import FC6, VGG16, classify, reach

# Side and dilation of each layer of the context module, and its channels as
# multiples of C (Yu and Koltun 2016).
LAYERS = ((3, 1), (3, 1), (3, 2), (3, 4), (3, 8), (3, 16), (3, 1), (1, 1))
MULTIPLES = {
    'basic': (1,) * len(LAYERS),
    'large': (2, 2, 4, 8, 16, 32, 32, 1),
}
# Deviation of the noise around the identity, relative to its weight: small
# beside 1, as the paper asks, without giving a number.
NOISE = 0.01
POOLS = 3  # of VGG-16's five
DILATION = 4  # of fc6


def identity_init(classes: int):
  """Kernels that pass their input on (Yu and Koltun 2016).

  Of I input and O output maps, I / C and O / C belong to each of the C
  classes. An output map is the sum of its class's input maps, times C / O; all
  other weights are small noise, which tells the maps of a class apart. The
  noise that an output map gets from the maps of one class adds up to zero.
  Where these are equal, as they are at the start, it cancels: the module
  passes its input on, to rounding, and exactly where there is one map a class.

  Returns:
    A Linen initialiser of kernels [k,k,I,O]; C divides I and O.
  """
  def init(key, shape, dtype=jnp.float32):
    k, _, i, o = shape
    inputs, outputs = i // classes, o // classes
    grouped = k, k, classes, inputs, o
    noise = jax.random.normal(key, grouped, dtype) * (NOISE / outputs)
    noise = noise - noise.mean(3, keepdims=True)
    passed = jnp.repeat(jnp.eye(classes, dtype=dtype), inputs, 0)
    passed = jnp.repeat(passed, outputs, 1) / outputs
    return noise.reshape(shape).at[k // 2, k // 2].add(passed)

  return init


class Context(nn.Module):
  """Context module, 'basic' or 'large': class maps in, class maps out."""

  size: str = 'basic'

  @nn.compact
  def __call__(self, x, extent=None):
    """[B,h,w,C] -> [B,h,w,C]; at the start it gives back max(x, 0).

    Every layer but the last cuts off what is negative: so does the paper's.
    """
    classes = x.shape[-1]
    multiples = MULTIPLES[self.size]
    for i, ((side, dilation), multiple) in enumerate(
        zip(LAYERS, multiples, strict=True), 1
    ):
      x = Conv(
          multiple * classes, side, dilation=dilation,
          activation=nn.relu if i < len(LAYERS) else None,
          kernel_init=identity_init(classes), name=f'conv{i}',
      )(x, extent=extent)
    return x


class Dilated8(nn.Module):
  """Dilated-8: VGG-16 without its last two pools, dilated instead.

  The front end keeps VGG-16's kernels and sees at every eighth pixel what
  they saw at every 32nd. Where Yu and Koltun reflect a wide margin of the
  image and convolve without padding, here every convolution is 'same'.

  Attributes:
    num_classes: C.
    width: factor on the channels of the front end.
    context: 'none' for the front end alone, or the context module's size.
    dropout: rate behind fc6 and fc7.
    recompute: as VGG16's.
  """

  num_classes: int
  width: float = 1.0
  context: str = 'none'
  dropout: float = 0.5
  recompute: bool = False
  stride = 8
  period = 2**POOLS

  @property
  def radius(self) -> int:
    """How far a pixel's logits see, in pixels, at most."""
    cells = FC6 // 2 * DILATION + 2
    if self.context != 'none':
      cells += sum(side // 2 * dilation for side, dilation in LAYERS)
    return reach(POOLS) + cells * self.stride

  @nn.compact
  def __call__(self, images, *, train: bool, sizes=None):
    """[B,H,W,3] in 0..1 -> logits [B,H/8,W/8,C]; dropout while training."""
    wanted = sides(images.shape[1:3], self.stride)
    images, extent = framed(images, sizes, self.period)
    x = VGG16(
        self.width, pools=POOLS, recompute=self.recompute, name='vgg'
    )(images, extent)[-1]
    x = classify(
        x, self.num_classes, self.width, self.dropout, dilation=DILATION,
        train=train, extent=extent,
    )
    if self.context != 'none':
      x = Context(self.context, name='context')(x, extent)
    return first(x, wanted)
