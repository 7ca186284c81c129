"""The convolutions of VGG-16 (Simonyan and Zisserman 2015)."""

import flax.linen as nn

from adseg_jax.networks.layers import Conv, channels
from adseg_jax.networks.segmentors.colours import standardized

# Convolutions of each block: count, channels (Simonyan and Zisserman 2015,
# table 1, column D).
BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
FC6 = 7  # side of its kernel
# Mean and deviation per colour of ImageNet, RGB in 0..1, as torchvision's
# weights expect them.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class VGG16(nn.Module):
  """Thirteen 3x3 convolutions in five blocks.

  Attributes:
    width: factor on the channels.
    pools: how many of the blocks, the first ones, end with a 2x2 max pool.
      Behind a pool that is left out, convolutions are dilated by 2 instead, so
      that the same kernels see the same pixels.
    recompute: keep what goes into each block alone for the backward pass.
  """

  width: float = 1.0
  pools: int = len(BLOCKS)
  recompute: bool = False

  @nn.compact
  def __call__(self, images, extent=None):
    """[B,H,W,3] in 0..1 -> what each block gives, finest first.

    Block i of 1 to 5 gives [B,H/2^p,W/2^p,channels width], p = min(i, pools).
    Sides are multiples of 2^pools.
    """
    x = standardized(self, images, MEAN, DEVIATION)
    block = _block
    if self.recompute and extent is None:  # nothing is kept without training
      block = nn.remat(_block, static_argnums=2)
    outputs = [x]
    for number in range(1, len(BLOCKS) + 1):
      outputs.append(block(self, outputs[-1], number, extent))
    return outputs[1:]


def _block(network: VGG16, x, number: int, extent):
  """A block's convolutions, as layers of the network."""
  count, features = BLOCKS[number - 1]
  for i in range(1, count + 1):
    x = Conv(
        channels(features, network.width),
        dilation=2 ** max(0, number - 1 - network.pools),
        pool=i == count and number <= network.pools,
        name=f'conv{number}_{i}',
    )(x, extent=extent)
  return x


def reach(pools: int) -> int:
  """How far a pixel behind the fifth block sees beyond its own cell, in pixels.

  Of as many pools as VGG16's; what is not pooled is dilated, and sees as far.
  """
  strides = [2 ** min(block, pools) for block in range(len(BLOCKS))]
  dilations = [2 ** max(0, block - pools) for block in range(len(BLOCKS))]
  return sum(
      count * stride * dilation for (count, _), stride, dilation
      in zip(BLOCKS, strides, dilations, strict=True)
  )


def classify(x, num_classes: int, width: float, dropout: float, *,
             dilation: int = 1, train: bool, extent=None):
  """fc6 and fc7 as convolutions, with dropout, then the class layer.

  Called in a network's compact method, it adds `fc6`, `fc7` and `score` to
  that network: [B,h,w,512 width] of the fifth block -> logits [B,h,w,C].
  """
  for name, size, step in (('fc6', FC6, dilation), ('fc7', 1, 1)):
    layer = Conv(channels(4096, width), size, dilation=step, name=name)
    x = layer(x, extent=extent)
    x = nn.Dropout(dropout, deterministic=not train)(x)
  return Conv(num_classes, 1, activation=None, name='score')(x)
