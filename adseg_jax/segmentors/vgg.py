"""VGG-16 up to its fifth pool (Simonyan and Zisserman 2015)."""

import flax.linen as nn
import jax.numpy as jnp

from adseg_jax.layers import Conv, channels

# Convolutions of each block: count, channels (Simonyan and Zisserman 2015,
# table 1, column D).
BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
# Mean and deviation per colour of ImageNet, RGB in 0..1, as torchvision's
# weights expect them.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class VGG16(nn.Module):
  """Thirteen 3x3 convolutions and five pools."""

  width: float = 1.0

  @nn.compact
  def __call__(self, images):
    """[B,H,W,3] in 0..1, sides multiples of 32 -> [B,H/32,W/32,512 width]."""
    mean, deviation = (
        jnp.asarray(v).reshape(1, 1, 1, 3) for v in (MEAN, DEVIATION)
    )
    x = (images - mean) / deviation
    for block, (count, features) in enumerate(BLOCKS, 1):
      for i in range(1, count + 1):
        x = Conv(
            channels(features, self.width), pool=i == count,
            name=f'conv{block}_{i}',
        )(x)
    return x
