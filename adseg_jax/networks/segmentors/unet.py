"""U-Net's decoder (Ronneberger et al. 2015) on an encoder, up to stride 4.

The coarser map, upsampled, is joined with the encoder's, and both go through
two 3x3 convolutions. Norms are those of the feature pyramid, for its reasons;
upsampling is bilinear and convolutions are 'same', where the paper learns the
one and crops for the others.
"""

import flax.linen as nn

from adseg_jax.networks.layers import Conv
from adseg_jax.networks.segmentors.fpn import FPN, enlarged, normed

# Of strides 4, 8 and 16: doubled as the resolution is halved, as the paper's.
FEATURES = 64, 128, 256


class Decoder(nn.Module):
  """The head: joins maps, each of half the resolution of the one before."""

  width: float = 1.0

  @nn.compact
  def __call__(self, maps):
    """[(map [B,h,w,c], Extent or None)], finest first -> [B,h,w,features]."""
    *finer, (x, below) = maps
    for number in reversed(range(len(finer))):
      skip, extent = finer[number]
      parts = enlarged(x, below, skip.shape[1:3]), skip
      for layer in 'ab':
        name = f'level{number + 1}{layer}'
        x = Conv(
            normed(FEATURES[number], self.width), 3, activation=None, name=name
        )(*parts, extent=extent)
        x = nn.LayerNorm(use_fast_variance=False, name=f'{name}_norm')(x)
        parts = (nn.relu(x),)
      [x], below = parts, extent
    return x


class UNet(FPN):
  """Encoder, decoder, class layer; attributes are FPN's."""

  cells = 2, 2, 2, 0

  def head(self):
    """The module that joins the encoder's maps."""
    return Decoder(self.width, name='decoder')
