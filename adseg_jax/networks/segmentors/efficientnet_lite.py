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
from adseg_jax.networks.segmentors.colours import standardized
from adseg_jax.networks.segmentors.stages import Encoder, Step

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

  Channels become multiples of 8, at most a tenth less than `wide` times theirs,
  blocks `deep` times as many, rounded up; the first and the last stage keep
  theirs.
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
  """Inverted bottleneck (Sandler et al. 2018); attributes are Encoder's.

  All but a stage's first add their input.
  """

  stage: Stage
  width: float
  step: Step
  first: bool

  @nn.compact
  def __call__(self, x, extent=None):
    """[B,H,W,I] -> [B,ceil(H/stride),ceil(W/stride),O]."""
    inputs = x
    if self.stage.expand > 1:
      expanded = x.shape[-1] * self.stage.expand
      x = Conv(expanded, 1, activation=nn.relu6, name='expand')(x)
    x = DepthwiseConv(
        self.stage.size, self.step.stride, self.step.dilation,
        activation=nn.relu6, name='depthwise',
    )(x, extent)
    start = nn.initializers
    x = Conv(
        channels(self.stage.features, self.width), 1, activation=None,
        kernel_init=start.lecun_normal() if self.first else start.zeros,
        name='project',
    )(x)
    return x if self.first else x + inputs


class EfficientNetLite(Encoder):
  """Encoder of the stages that `scaled` gives.

  A cell of a map of stride s lies at the same s x s pixels whatever the size
  of the image, as it does in training on sides that are multiples of 32.
  """

  stages: tuple[Stage, ...] = STAGES
  kind = Block
  start = 2

  @property
  def reach(self) -> int:
    """How far a cell of the coarsest map sees beyond its pixels, at most."""
    total, step = 1, self.start  # the stem: of 3 pixels, one is beyond the cell
    for stage in self.stages:
      for block in range(stage.blocks):
        stride = 1 if block else stage.stride
        total += (stage.size + 1 - stride) // 2 * step
        step *= stride
    return total

  def begin(self, images, extent):
    """The stem."""
    x = standardized(self, images, MEAN, DEVIATION)
    x = Conv(
        channels(STEM, self.width), 3, 2, activation=nn.relu6, name='stem'
    )(x, extent=extent)
    return x, extent and extent.coarser(2)
