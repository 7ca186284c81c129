"""The multi-scale network of Farabet et al. 2013, as Luc et al. 2016 use it.

Three scales of a locally normalised Laplacian pyramid go through the same
convolutions; the coarse scales are upsampled and joined; a linear classifier
gives each pixel of the quarter-resolution map its class.
"""

import functools

import flax.linen as nn

from adseg_jax import pyramid
from adseg_jax.layers import Conv, channels, resize

SCALES = 3


class Features(nn.Module):
  """7x7-16, pool, 7x7-64, pool, 7x7-256: the weights that the scales share."""

  width: float = 1.0

  @nn.compact
  def __call__(self, x):
    """[B,H,W,3] -> [B,H/4,W/4,256 width]."""
    n = functools.partial(channels, width=self.width)
    x = Conv(n(16), 7, pool=True, name='conv1')(x)
    x = Conv(n(64), 7, pool=True, name='conv2')(x)
    return Conv(n(256), 7, name='conv3')(x)


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

  @nn.compact
  def __call__(self, images, *, train: bool):
    """[B,H,W,3] in 0..1 -> logits [B,H/4,W/4,C]."""
    del train
    size = images.shape[1] // self.stride, images.shape[2] // self.stride
    features = Features(self.width, name='features')
    logits = 0
    for i, level in enumerate(self.scales(images)):
      # A 1x1 convolution commutes with bilinear upsampling: each scale's
      # share of the classifier works before it, on C maps instead of 256.
      share = nn.Dense(
          self.num_classes, use_bias=i == 0, name=f'classifier{i + 1}',
          kernel_init=nn.initializers.variance_scaling(
              1 / SCALES, 'fan_in', 'truncated_normal'
          ),
      )
      logits = logits + resize(share(features(level)), size)
    return logits

  def scales(self, images):
    """The network's inputs, finest first."""
    if not self.local_normalization:
      return pyramid.gaussian_pyramid(pyramid.standardize(images), SCALES)
    bands = pyramid.laplacian_pyramid(images, SCALES)
    return [pyramid.local_normalize(band) for band in bands]
