"""Fully convolutional networks on VGG-16 (Long et al. 2015)."""

import flax.linen as nn
import jax.numpy as jnp

from adseg_jax.layers import HE, Conv, channels, resize
from adseg_jax.segmentors.vgg import VGG16

POOLED = 32  # input pixels per pixel behind the fifth pool


class FCN32s(nn.Module):
  """FCN-32s: VGG-16, fc6 and fc7 as convolutions, bilinear upsampling.

  The fixed upsampling goes to an eighth of the image, where a discriminator
  can read a map; `resize_logits` does the rest.

  Attributes:
    num_classes: C.
    width: factor on the channels.
    dropout: rate behind fc6 and fc7.
  """

  num_classes: int
  width: float = 1.0
  dropout: float = 0.5
  stride = 8

  @nn.compact
  def __call__(self, images, *, train: bool):
    """[B,H,W,3] in 0..1 -> logits [B,H/8,W/8,C]; dropout while training."""
    h, w = images.shape[1:3]
    # Five pools need multiples of 32; the margin is cut off again below.
    images = jnp.pad(
        images, ((0, 0), (0, -h % POOLED), (0, -w % POOLED), (0, 0)), 'edge'
    )
    x = VGG16(self.width, name='vgg')(images)
    for name, size in (('fc6', 7), ('fc7', 1)):
      x = Conv(channels(4096, self.width), size, name=name)(x)
      x = nn.Dropout(self.dropout, deterministic=not train)(x)
    x = Conv(
        self.num_classes, 1, activation=None, name='score', kernel_init=HE
    )(x)
    x = resize(x, (images.shape[1] // self.stride,
                   images.shape[2] // self.stride))
    return x[:, :h // self.stride, :w // self.stride]
