"""EfficientNet-Lite: EfficientNet (Tan and Le 2019) for small devices.

Without squeeze and excitation, with ReLU6, stem and head of one size (Google's
tensorflow/tpu, efficientnet/lite). The classifier and the convolution before
it are left out. Batch norm is folded into kernels and biases when a file of
weights is converted, so that nothing here depends on a batch. From random
weights there is no norm either: kernels start so that deviations stay, and
blocks with a skip start as the identity (as Goyal et al. 2017 start the norms
before a sum).
"""

import math
from typing import NamedTuple

import flax.linen as nn

from adseg_jax.networks.layers import Conv, DepthwiseConv, channels
from adseg_jax.networks.segmentors.atrous import steps
from adseg_jax.networks.segmentors.colours import standardized

# What Google's weights expect: (x - 127) / 128 of RGB in 0..255.
MEAN = (127 / 255,) * 3
DEVIATION = (128 / 255,) * 3
STEM = 32


class Stage(NamedTuple):
  """Blocks of one kind; the first has the stride."""

  expand: int
  features: int
  blocks: int
  stride: int
  size: int


# Tan and Le 2019, table 1.
STAGES = (
    Stage(1, 16, 1, 1, 3), Stage(6, 24, 2, 2, 3), Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3), Stage(6, 112, 3, 1, 5), Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)


def scaled(wide: float, deep: float) -> tuple[Stage, ...]:
  """The stages of a larger network of the family.

  Args:
    wide: factor on channels, which become multiples of 8, at most a tenth
      less than asked for.
    deep: factor on blocks, rounded up; the first and the last stage stay.
  """
  def features(count):
    rounded = max(8, int(count * wide + 4) // 8 * 8)
    return rounded + 8 * (rounded < 0.9 * count * wide)

  first, *others, last = STAGES
  return tuple(
      stage._replace(features=features(stage.features)) for stage in (
          first, *(
              stage._replace(blocks=math.ceil(stage.blocks * deep))
              for stage in others
          ), last,
      )
  )


class Block(nn.Module):
  """Inverted bottleneck (Sandler et al. 2018), the input added to it or not.

  Attributes:
    expand: channels inside for each channel of the input.
    features: of the output.
    size: side of the depthwise kernel.
    stride: of the depthwise convolution.
    skip: whether the input is added.
    dilation: step between the taps of the depthwise convolution.
  """

  expand: int
  features: int
  size: int
  stride: int
  skip: bool
  dilation: int = 1

  @nn.compact
  def __call__(self, x, extent=None):
    """[B,H,W,I] -> [B,ceil(H/stride),ceil(W/stride),features]."""
    inputs = x
    if self.expand > 1:
      inside = x.shape[-1] * self.expand
      x = Conv(inside, 1, activation=nn.relu6, name='expand')(x)
    x = DepthwiseConv(
        self.size, self.stride, self.dilation, activation=nn.relu6,
        name='depthwise',
    )(x, extent)
    start = nn.initializers.lecun_normal()
    if self.skip:
      start = nn.initializers.zeros
    x = Conv(
        self.features, 1, activation=None, kernel_init=start, name='project'
    )(x)
    return x + inputs if self.skip else x


class EfficientNetLite(nn.Module):
  """The encoder: maps of strides 4, 8, 16 and 32, or of no more than a stride.

  A cell of a map of stride s lies at the same s x s pixels whatever the size
  of the image, as it does in training on sides that are multiples of 32.

  Attributes:
    stages: as `scaled` gives them.
    width: factor on all channels.
    output_stride: of the last map, at most; beyond it, stages are dilated.
    recompute: keep what goes into each block alone for the backward pass.
  """

  stages: tuple[Stage, ...] = STAGES
  width: float = 1.0
  output_stride: int = 32
  recompute: bool = False

  @property
  def reach(self) -> int:
    """How far a cell of the coarsest map sees beyond its pixels, at most."""
    total, step = 1, 2  # the stem: of 3 pixels, one is beyond the cell
    for stage in self.stages:
      for block in range(stage.blocks):
        stride = 1 if block else stage.stride
        total += (stage.size + 1 - stride) // 2 * step
        step *= stride
    return total

  @nn.compact
  def __call__(self, images, extent=None):
    """Maps, finest first.

    Args:
      images: [B,H,W,3] in 0..1, whose sides are even.
      extent: Extent of pictures that are smaller than their canvas.

    Returns:
      [(map [B,ceil(H/s),ceil(W/s),c], its Extent or None)], s = 4, 8, 16, 32,
      or `output_stride` where that is less.
    """
    x = standardized(self, images, MEAN, DEVIATION)
    x = Conv(
        channels(STEM, self.width), 3, 2, activation=nn.relu6, name='stem'
    )(x, extent=extent)
    extent, maps = extent and extent.coarser(2), []
    going = steps((
        1 if block else stage.stride
        for stage in self.stages for block in range(stage.blocks)
    ), 2, self.output_stride)
    kind = nn.remat(Block) if self.recompute and extent is None else Block
    for number, stage in enumerate(self.stages, 1):
      if stage.stride > 1:
        maps.append((x, extent))
      for block in range(stage.blocks):
        step = next(going)
        x = kind(
            stage.expand, channels(stage.features, self.width), stage.size,
            step.stride, block > 0, step.dilation,
            name=f'stage{number}_{block + 1}',
        )(x, extent)
        extent = extent and extent.coarser(step.stride)
    # The first, of stride 2, is too fine for the heads here.
    return [*maps[1:], (x, extent)]
