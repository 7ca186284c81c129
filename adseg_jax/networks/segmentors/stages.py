"""What encoders have in common: a stem, and stages of blocks.

Where a stride is left out, so that the last map is finer, all layers behind it
are dilated: they have their taps that much farther apart, and see the same
pixels (Chen et al. 2018, arXiv:1802.02611). Weights stay what they are.
"""

from typing import NamedTuple

import flax.linen as nn

FINEST = 4  # stride of the first map that heads use


class Step(NamedTuple):
  """How a block goes over its input.

  Attributes:
    stride: that is left of its own.
    dilation: step between its taps.
    after: what the dilation of layers behind it is.
  """

  stride: int
  dilation: int
  after: int


def steps(strides, start: int, most: int):
  """The Step of each of a chain of layers with these strides.

  `start` is the stride of what goes in, `most` that of what comes out, at most.
  """
  dilation = 1
  for stride in strides:
    if start * stride > most:
      yield Step(1, dilation, dilation * stride)
      dilation *= stride
    else:
      yield Step(stride, dilation, dilation)
      start *= stride


class Encoder(nn.Module):
  """The encoder: maps of strides 4, 8, 16 and 32, or of no more than a stride.

  A network has `kind`, a module of (stage, width, Step, whether it is the
  stage's first); `begin`, which gives what goes into the first stage; and
  `start`, the stride of that.

  Attributes:
    stages: each with its number of `blocks` and the first one's `stride`.
    width: factor on all channels.
    output_stride: of the last map, at most; beyond it, stages are dilated.
    recompute: keep what goes into each block alone for the backward pass.
  """

  stages: tuple = ()
  width: float = 1.0
  output_stride: int = 32
  recompute: bool = False

  @nn.compact
  def __call__(self, images, extent=None):
    """Images [B,H,W,3] in 0..1, sides multiples of 4 -> maps, finest first.

    [(map [B,ceil(H/s),ceil(W/s),c], its Extent or None)], s = 4, 8, 16, 32, or
    `output_stride` where that is less.
    """
    again = self.recompute and extent is None
    kind = nn.remat(self.kind) if again else self.kind
    x, extent = self.begin(images, extent)
    reached, maps = self.start, []
    going = steps((
        1 if block else stage.stride
        for stage in self.stages for block in range(stage.blocks)
    ), reached, self.output_stride)
    for number, stage in enumerate(self.stages, 1):
      if stage.stride > 1 and reached >= FINEST:
        maps.append((x, extent))
      reached *= stage.stride
      for block in range(stage.blocks):
        step = next(going)
        name = f'stage{number}_{block + 1}'
        x = kind(stage, self.width, step, not block, name=name)(x, extent)
        extent = extent and extent.coarser(step.stride)
    return [*maps, (x, extent)]
