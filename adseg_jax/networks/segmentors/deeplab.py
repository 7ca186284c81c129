"""DeepLabv3+ (Chen et al. 2018, arXiv:1802.02611) on an encoder.

The encoder's last stages are dilated, so that its last map keeps a stride of
16 or 8; separable convolutions of several rates look at it. The result,
upsampled, is joined with the encoder's map of stride 4, and both go through
two separable convolutions. Norms are those of the feature pyramid, for its
reasons.

The paper's image-level pooling is left out. What a pixel gets would depend on
how much of the picture is in sight: windows would not give what the whole
picture gives, and crops in training would have other means than the pictures
that are scored.
"""

import flax.linen as nn
import jax.numpy as jnp

from adseg_jax.networks.segmentors.fpn import (
    FPN,
    Projected,
    Separable,
    enlarged,
    normed,
)

FEATURES = 256  # of every layer but the skip
SKIP = 48
RATES = 6, 12, 18  # at a stride of 16; doubled at 8


class Pooling(nn.Module):
  """Atrous spatial pyramid pooling: 1x1 and 3x3 of several rates, joined."""

  features: int
  rates: tuple[int, ...]

  @nn.compact
  def __call__(self, x, extent=None):
    """[B,h,w,C] -> [B,h,w,features]."""
    parts = [nn.relu(Projected(self.features, name='cell')(x))]
    for number, rate in enumerate(self.rates, 1):
      layer = Separable(self.features, rate, name=f'atrous{number}')
      parts.append(layer(x, extent))
    x = jnp.concatenate(parts, -1)
    return nn.relu(Projected(self.features, name='joined')(x))


class Decoder(nn.Module):
  """The head: the encoder's last map, pooled, and its first."""

  output_stride: int
  width: float = 1.0

  @nn.compact
  def __call__(self, maps):
    """[(map [B,h,w,c], Extent or None)], finest first -> [B,h,w,features]."""
    (skip, extent), *_, (x, below) = maps
    features = normed(FEATURES, self.width)
    x = Pooling(features, rates(self.output_stride), name='pooling')(x, below)
    x = enlarged(x, below, skip.shape[1:3], self.output_stride // FPN.stride)
    skip = Projected(normed(SKIP, self.width), name='skip')(skip)
    x = jnp.concatenate([x, nn.relu(skip)], -1)
    for number in (1, 2):
      x = Separable(features, name=f'smooth{number}')(x, extent)
    return x


def rates(output_stride: int) -> tuple[int, ...]:
  """Those that see as far in pixels as the paper's do."""
  return tuple(rate * 16 // output_stride for rate in RATES)


class DeepLabV3Plus(FPN):
  """Encoder, pooling and decoder, class layer; FPN's attributes, and:

  Attributes:
    output_stride: of the encoder's last map: 16, or 8, which is finer and
      costs about three times as much.
  """

  output_stride: int = 16

  @property
  def radius(self) -> int:
    """How far a pixel's logits see, in pixels, at most."""
    # The widest rate; a neighbour at the upsampling; the pixel's own cell.
    cells = rates(self.output_stride)[-1] + 2
    # The two convolutions; the cell of the logit.
    finest = 3 * self.stride
    return self.encoder().reach + cells * self.output_stride + finest

  def trunk(self):
    """The encoder, its last stages dilated."""
    return self.encoder(
        width=self.width, recompute=self.recompute,
        output_stride=self.output_stride, name='encoder',
    )

  def head(self):
    """The module that joins the encoder's maps."""
    return Decoder(self.output_stride, self.width, name='decoder')
