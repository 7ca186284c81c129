"""The smallest networks that a run can have, known once this is imported.

Most tests of a run ask what is written, continued and scored, not what the
networks are; those of the package take seconds to compile.
"""

import flax.linen as nn

from adseg_jax.networks.discriminators import DISCRIMINATORS, FieldOfView
from adseg_jax.networks.extents import first, framed
from adseg_jax.networks.layers import Conv, channels
from adseg_jax.networks.segmentors import SEGMENTORS
from adseg_jax.networks.segmentors.resolution import sides


class Small(nn.Module):
  """A segmentor of three convolutions, whose logits are of 4x4 pixels."""

  num_classes: int
  width: float = 1.0
  stride = period = 4
  radius = 20

  @nn.compact
  def __call__(self, images, *, train, sizes=None):
    wanted = sides(images.shape[1:3], self.stride)
    x, extent = framed(images, sizes, self.period)
    x = Conv(channels(64, self.width), 5, 4, name='conv1')(x, extent=extent)
    x = Conv(channels(64, self.width), 3, dilation=2, name='conv2')(
        x, extent=extent
    )
    x = Conv(self.num_classes, 1, activation=None, name='classifier')(x)
    return first(x, wanted)


def discriminator(width):
  """Two convolutions, a logit for each pixel of the map."""
  return FieldOfView(((channels(64, width), 3),), ())


NAME = 'small'
SEGMENTORS[NAME] = Small
DISCRIMINATORS[NAME] = discriminator
