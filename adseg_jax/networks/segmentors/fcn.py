"""Fully convolutional networks on VGG-16 (Long et al. 2015)."""

import flax.linen as nn

from adseg_jax.networks.extents import extended, first, framed
from adseg_jax.networks.layers import Conv, resize
from adseg_jax.networks.segmentors.resolution import sides
from adseg_jax.networks.segmentors.vgg import (
    BLOCKS,
    FC6,
    VGG16,
    classify,
    reach,
)

POOLED = 32  # input pixels per pixel behind the fifth pool


class FCN32s(nn.Module):
  """FCN-32s: VGG-16, fc6 and fc7 as convolutions, bilinear upsampling.

  All three networks give their logits at an eighth of the image, where a
  discriminator can read a map: for FCN-8s that is before its last, fixed
  upsampling, which `resize_logits` does, for the coarser ones part of it is
  done here. Long et al. learn the upsampling between the skips, from bilinear;
  here all of it stays bilinear.

  Attributes:
    num_classes: C.
    width: factor on the channels.
    dropout: rate behind fc6 and fc7.
  """

  num_classes: int
  width: float = 1.0
  dropout: float = 0.5
  stride = 8
  period = POOLED
  skips = ()  # pools whose own class scores are added, coarsest first

  @property
  def radius(self) -> int:
    """How far a pixel's logits see, in pixels, at most."""
    # A cell of the last pool, its neighbours at each upsampling.
    cells = POOLED + sum(POOLED >> i for i in range(len(self.skips) + 1))
    return reach(len(BLOCKS)) + FC6 // 2 * POOLED + cells + self.stride

  @nn.compact
  def __call__(self, images, *, train: bool, sizes=None):
    """[B,H,W,3] in 0..1 -> logits [B,H/8,W/8,C]; dropout while training."""
    wanted = sides(images.shape[1:3], self.stride)
    # Five pools need multiples of 32; the margin is cut off again below.
    images, extent = framed(images, sizes, self.period)
    pools = VGG16(self.width, name='vgg')(images, extent)
    x = classify(
        pools[-1], self.num_classes, self.width, self.dropout, train=train,
        extent=extent,
    )
    for pool in self.skips:
      # Zero at first (Long et al. 2015): the finer network
      # starts with the coarser one's scores.
      skip = Conv(
          self.num_classes, 1, activation=None, name=f'score_pool{pool}',
          kernel_init=nn.initializers.zeros,
      )(pools[pool - 1])
      x = resize(extended(x, extent), skip.shape[1:3]) + skip
    size = images.shape[1] // self.stride, images.shape[2] // self.stride
    return first(resize(extended(x, extent), size), wanted)


class FCN16s(FCN32s):
  """FCN-16s: FCN-32s and a skip from the fourth pool."""

  skips = (4,)


class FCN8s(FCN32s):
  """FCN-8s: FCN-32s and skips from the fourth and the third pool."""

  skips = (4, 3)
