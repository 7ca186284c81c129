"""ResNets (He et al. 2016) as encoders, with the stride in the 3x3 convolution.

Without the classifier. Batch norm is folded when a file of weights is
converted, as EfficientNet-Lite's; from random weights there is no norm, and
every block starts as its shortcut.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from adseg_jax.networks.extents import inside
from adseg_jax.networks.layers import Conv, channels
from adseg_jax.networks.segmentors.colours import standardized
from adseg_jax.networks.segmentors.stages import Encoder, Step
from adseg_jax.networks.segmentors.vgg import DEVIATION, MEAN

FEATURES = 64, 128, 256, 512  # inside the blocks of each stage
STEM = 7  # side of its kernel
EXPANSION = 4  # of a bottleneck's output


class Stage(NamedTuple):
  """Blocks of one kind; the first has the stride.

  Attributes:
    features: inside; a bottleneck gives four times as many.
    bottleneck: whether blocks are 1x1, 3x3, 1x1, instead of two 3x3.
  """

  features: int
  blocks: int
  stride: int
  bottleneck: bool


def stages(blocks, bottleneck: bool) -> tuple[Stage, ...]:
  """Stages of so many blocks each."""
  return tuple(
      Stage(features, count, 1 if features == FEATURES[0] else 2, bottleneck)
      for features, count in zip(FEATURES, blocks, strict=False)
  )


# He et al. 2016, table 1.
RESNET18 = stages((2, 2, 2, 2), False)
RESNET34 = stages((3, 4, 6, 3), False)
RESNET50 = stages((3, 4, 6, 3), True)
RESNET101 = stages((3, 4, 23, 3), True)


class Block(nn.Module):
  """Convolutions, added to what goes in; attributes are Encoder's.

  Where the number of channels changes, a 1x1 of the stride goes over the input.
  """

  stage: Stage
  width: float
  step: Step
  first: bool

  @nn.compact
  def __call__(self, x, extent=None):
    """[B,H,W,I] -> [B,ceil(H/stride),ceil(W/stride),O]."""
    stride, dilation, after = self.step
    bottleneck = self.stage.bottleneck
    features = channels(self.stage.features, self.width)
    last = {'activation': None, 'kernel_init': nn.initializers.zeros}
    wide = Conv(
        features, 3, stride, dilation, centred=True,
        name='conv2' if bottleneck else 'conv1',
    )
    if bottleneck:
      y = wide(Conv(features, 1, name='conv1')(x), extent=extent)
      y = Conv(EXPANSION * features, 1, name='conv3', **last)(y)
    else:
      y = Conv(features, 3, dilation=after, name='conv2', **last)(
          wide(x, extent=extent), extent=extent and extent.coarser(stride)
      )
    if self.first and (bottleneck or self.stage.stride > 1):
      x = Conv(
          y.shape[-1], 1, stride, centred=True, activation=None,
          kernel_init=nn.initializers.lecun_normal(), name='shortcut',
      )(x)
    return nn.relu(x + y)


def max_pool(x):
  """3x3, stride 2, of what is not negative: [B,H,W,C] -> [B,ceil(H/2),..,C].

  Around the first pixel of each 2x2 cell.
  """
  for axis in (1, 2):
    size = -(-x.shape[axis] // 2)
    margins = [(0, 0)] * 4
    margins[axis] = 1, 1
    padded = jnp.pad(x, margins)
    x = jax.lax.slice_in_dim(padded, 0, 2 * size - 1, 2, axis)
    for start in (1, 2):
      x = jnp.maximum(x, jax.lax.slice_in_dim(
          padded, start, start + 2 * size - 1, 2, axis
      ))
  return x


class ResNet(Encoder):
  """Encoder of the stages that `stages` gives."""

  stages: tuple[Stage, ...] = RESNET18
  kind = Block
  start = 4

  @property
  def reach(self) -> int:
    """How far a cell of the coarsest map sees beyond its pixels, at most."""
    total, step = STEM // 2 + 2, self.start  # stem and pool
    for stage in self.stages:
      threes = stage.blocks * (1 if stage.bottleneck else 2)
      total += step + (threes - 1) * step * stage.stride
      step *= stage.stride
    return total

  def begin(self, images, extent):
    """The stem and its pool."""
    x = standardized(self, images, MEAN, DEVIATION)
    x = Conv(
        channels(FEATURES[0], self.width), STEM, 2, centred=True, name='stem'
    )(x, extent=extent)
    x = max_pool(inside(x, extent and extent.coarser(2)))
    return x, extent and extent.coarser(4)
