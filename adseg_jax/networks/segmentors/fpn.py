"""A light feature pyramid (Lin et al. 2017) on an encoder.

Maps of one width are made of the encoder's, coarsest first: each is added to
the one before, upsampled, and goes through a separable convolution. Norms are
over the channels of each pixel: the maps of pretrained encoders are large and
differ in scale; and a pixel's logits depend on no other pixels' statistics, so
that windows of a picture give what the whole one gives.
"""

from collections.abc import Callable

import flax.linen as nn

from adseg_jax.networks.extents import extended, first, framed
from adseg_jax.networks.layers import Conv, DepthwiseConv, channels, resize
from adseg_jax.networks.segmentors.efficientnet_lite import EfficientNetLite
from adseg_jax.networks.segmentors.resolution import sides

FEATURES = 128  # of every level; our choice
STRIDES = (4, 8, 16, 32)


def normed(count: int, width: float) -> int:
  """Channels before a norm over them: of fewer it would leave nothing."""
  return max(8, channels(count, width))


class Separable(nn.Module):
  """3x3 depthwise, 1x1, norm, ReLU."""

  features: int
  dilation: int = 1

  @nn.compact
  def __call__(self, x, extent=None):
    """[B,h,w,C] -> [B,h,w,features]."""
    x = DepthwiseConv(
        3, dilation=self.dilation, activation=None, name='depthwise'
    )(x, extent)
    return nn.relu(Projected(self.features, name='pointwise')(x))


class Projected(nn.Module):
  """1x1 and norm."""

  features: int

  @nn.compact
  def __call__(self, x):
    """[B,h,w,C] -> [B,h,w,features]."""
    x = Conv(self.features, 1, activation=None, name='conv')(x)
    return nn.LayerNorm(use_fast_variance=False, name='norm')(x)


class Pyramid(nn.Module):
  """The head: joins maps, each of half the resolution of the one before."""

  features: int

  @nn.compact
  def __call__(self, maps):
    """[(map [B,h,w,c], Extent or None)], finest first -> [B,h,w,features]."""
    total, below = None, None
    for number, (x, extent) in reversed(list(enumerate(maps, 1))):
      size = x.shape[1:3]
      x = Projected(self.features, name=f'lateral{number}')(x)
      if total is not None:
        x = x + enlarged(total, below, size)
      total = Separable(self.features, name=f'smooth{number}')(x, extent)
      below = extent
    return total


def enlarged(x, extent, size, factor: int = 2):
  """Bilinear: a coarser map [B,h,w,C] -> [B,*size,C].

  Its last cells may reach beyond the finer map, which has `factor` cells along
  one of them; the Extent, if any, is the coarser one's.
  """
  whole = factor * x.shape[1], factor * x.shape[2]
  return first(resize(extended(x, extent), whole), size)


class FPN(nn.Module):
  """Encoder, pyramid, class layer.

  Attributes:
    num_classes: C.
    width: factor on the channels.
    encoder: (width=, recompute=, name=) -> Linen module that gives maps of
      STRIDES, such as ENCODERS has; it knows its `reach`.
    recompute: keep what goes into each block of the encoder alone for the
      backward pass, and compute the rest again: less memory for more time.
  """

  num_classes: int
  width: float = 1.0
  encoder: Callable = EfficientNetLite
  recompute: bool = False
  stride = STRIDES[0]
  period = STRIDES[0]
  # How far the head's convolutions see at each of STRIDES, in cells.
  cells = 1, 1, 1, 1

  @property
  def radius(self) -> int:
    """How far a pixel's logits see, in pixels, at most."""
    # A neighbour at each upsampling; the pixel's own cell of the coarsest map.
    head = sum(STRIDES[1:]) + STRIDES[-1] + sum(
        count * step for count, step in zip(self.cells, STRIDES, strict=True)
    )
    return self.encoder().reach + head + self.stride

  @nn.compact
  def __call__(self, images, *, train: bool, sizes=None):
    """[B,H,W,3] in 0..1 -> logits [B,H/4,W/4,C], as the package says."""
    del train
    wanted = sides(images.shape[1:3], self.stride)
    images, extent = framed(images, sizes, self.period)
    maps = self.trunk()(images, extent)
    x = self.head()(maps)
    x = Conv(self.num_classes, 1, activation=None, name='score')(x)
    return first(x, wanted)

  def trunk(self):
    """The encoder."""
    return self.encoder(
        width=self.width, recompute=self.recompute, name='encoder'
    )

  def head(self):
    """The module that joins the encoder's maps."""
    return Pyramid(normed(FEATURES, self.width), name='pyramid')
