"""The multi-scale network of Farabet et al. 2013, as Luc et al. 2016 use it.

Three scales of a locally normalised Laplacian pyramid go through the same
convolutions; the coarse scales are upsampled and joined; a linear classifier
gives each pixel of the quarter-resolution map its class.
"""

import functools

import flax.linen as nn

from adseg_jax.networks import pyramid
from adseg_jax.networks.extents import extended, first, framed
from adseg_jax.networks.layers import Conv, channels, resize
from adseg_jax.networks.segmentors.resolution import sides

SCALES = 3


class Features(nn.Module):
  """7x7-16, pool, 7x7-64, pool, 7x7-256: the weights that the scales share."""

  width: float = 1.0

  @nn.compact
  def __call__(self, x, extent=None):
    """[B,H,W,3] -> [B,H/4,W/4,256 width]."""
    n = functools.partial(channels, width=self.width)
    x = Conv(n(16), 7, pool=True, name='conv1')(x, extent=extent)
    x = Conv(n(64), 7, pool=True, name='conv2')(x, extent=extent)
    return Conv(n(256), 7, name='conv3')(x, extent=extent)


class MultiScale(nn.Module):
  """Multi-scale segmentor.

  Attributes:
    num_classes: C.
    width: factor on the channels.
    local_normalization: False feeds a plain Gaussian pyramid: local
      normalisation removes absolute colour, which some data sets need.
  """

  num_classes: int
  width: float = 1.0
  local_normalization: bool = True
  stride = 4
  # Sides that every scale's two pools divide: the scales stay aligned.
  period = 4 * 2 ** (SCALES - 1)

  @property
  def radius(self) -> int:
    """How far a pixel's logits see, in pixels, at most."""
    coarsest = 2 ** (SCALES - 1)
    # Kernels of 7 at strides 1, 2 and 4; a cell of the map; its neighbour,
    # by upsampling.
    features = 3 * (1 + 2 + 4) + 2 * self.stride
    if self.local_normalization:
      # Two windows in a row, and the next level's neighbouring pixel.
      features += 2 * (pyramid.WINDOW // 2) + 2
    return coarsest * features + coarsest + self.stride

  @nn.compact
  def __call__(self, images, *, train: bool, sizes=None):
    """[B,H,W,3] in 0..1 -> logits [B,H/4,W/4,C], as the package says."""
    del train
    wanted = sides(images.shape[1:3], self.stride)
    images, extent = framed(images, sizes, self.period)
    size = images.shape[1] // self.stride, images.shape[2] // self.stride
    features = Features(self.width, name='features')
    logits = 0
    for i, level in enumerate(self.scales(images, extent)):
      # A 1x1 convolution commutes with bilinear upsampling: each scale's
      # share of the classifier works before it, on C maps instead of 256.
      share = nn.Dense(
          self.num_classes, use_bias=i == 0, name=f'classifier{i + 1}',
          kernel_init=nn.initializers.variance_scaling(
              1 / SCALES, 'fan_in', 'truncated_normal'
          ),
      )
      maps = share(features(level, extent))
      logits = logits + resize(extended(maps, extent), size)
    return first(logits, wanted)

  def scales(self, images, extent=None):
    """The network's inputs, finest first."""
    if not self.local_normalization:
      return pyramid.gaussian_pyramid(
          pyramid.standardize(images), SCALES, extent
      )
    bands = pyramid.laplacian_pyramid(images, SCALES, extent)
    return [pyramid.local_normalize(band, extent) for band in bands]
