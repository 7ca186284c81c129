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
from adseg_jax.networks.segmentors.atrous import Step, steps
from adseg_jax.networks.segmentors.colours import standardized
from adseg_jax.networks.segmentors.vgg import DEVIATION, MEAN

FEATURES = 64, 128, 256, 512  # inside the blocks of each stage
STEM = 7  # side of its kernel
EXPANSION = 4  # of a bottleneck's output


class Depth(NamedTuple):
  """Blocks of each stage, and whether they are bottlenecks."""

  blocks: tuple[int, ...]
  bottleneck: bool


# He et al. 2016, table 1.
RESNET18 = Depth((2, 2, 2, 2), False)
RESNET34 = Depth((3, 4, 6, 3), False)
RESNET50 = Depth((3, 4, 6, 3), True)
RESNET101 = Depth((3, 4, 23, 3), True)


class Block(nn.Module):
  """Two 3x3, or 1x1, 3x3, 1x1, added to what goes in.

  Attributes:
    features: inside; a bottleneck gives four times as many.
    bottleneck: which of the two.
    step: stride and dilation of the (first) 3x3, dilation of the second.
    project: whether the input goes through a 1x1 of the stride.
  """

  features: int
  bottleneck: bool
  step: Step
  project: bool

  @nn.compact
  def __call__(self, x, extent=None):
    """[B,H,W,I] -> [B,ceil(H/stride),ceil(W/stride),O]."""
    stride, dilation, after = self.step
    last = {'activation': None, 'kernel_init': nn.initializers.zeros}
    wide = Conv(self.features, 3, stride, dilation, centred=True, name=(
        'conv2' if self.bottleneck else 'conv1'
    ))
    if self.bottleneck:
      y = wide(Conv(self.features, 1, name='conv1')(x), extent=extent)
      y = Conv(EXPANSION * self.features, 1, name='conv3', **last)(y)
    else:
      y = wide(x, extent=extent)
      y = Conv(self.features, 3, dilation=after, name='conv2', **last)(
          y, extent=extent and extent.coarser(stride)
      )
    if self.project:
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


class ResNet(nn.Module):
  """The encoder: maps of strides 4, 8, 16 and 32, or of no more than a stride.

  Attributes:
    depth: which of the family.
    width: factor on all channels.
    output_stride: of the last map, at most; beyond it, stages are dilated.
    recompute: keep what goes into each block alone for the backward pass.
  """

  depth: Depth = RESNET18
  width: float = 1.0
  output_stride: int = 32
  recompute: bool = False

  @property
  def reach(self) -> int:
    """How far a cell of the coarsest map sees beyond its pixels, at most."""
    total, step = STEM // 2 + 2, 4  # stem and pool
    for number, blocks in enumerate(self.depth.blocks):
      stride = 2 if number else 1
      threes = blocks if self.depth.bottleneck else 2 * blocks
      total += step + (threes - 1) * step * stride
      step *= stride
    return total

  @nn.compact
  def __call__(self, images, extent=None):
    """Maps, finest first.

    Args:
      images: [B,H,W,3] in 0..1, whose sides are multiples of 4.
      extent: Extent of pictures that are smaller than their canvas.

    Returns:
      [(map [B,ceil(H/s),ceil(W/s),c], its Extent or None)], s = 4, 8, 16, 32,
      or `output_stride` where that is less.
    """
    x = standardized(self, images, MEAN, DEVIATION)
    x = Conv(
        channels(FEATURES[0], self.width), STEM, 2, centred=True, name='stem'
    )(x, extent=extent)
    x = max_pool(inside(x, extent and extent.coarser(2)))
    extent, maps = extent and extent.coarser(4), []
    going = steps((
        2 if number and not block else 1
        for number, count in enumerate(self.depth.blocks)
        for block in range(count)
    ), 4, self.output_stride)
    kind = nn.remat(Block) if self.recompute and extent is None else Block
    for number, count in enumerate(self.depth.blocks, 1):
      for block in range(count):
        step = next(going)
        # ResNet-18's and -34's first stage has nothing to project.
        project = not block and (number > 1 or self.depth.bottleneck)
        x = kind(
            channels(FEATURES[number - 1], self.width), self.depth.bottleneck,
            step, project, name=f'stage{number}_{block + 1}',
        )(x, extent)
        extent = extent and extent.coarser(step.stride)
      maps.append((x, extent))
    return maps
