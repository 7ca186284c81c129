"""Discriminators: (maps [B,h,w,C], images [B,H,W,3]) -> logits.

The first five are those of Luc et al. 2016, as quoted by later ports: each
convolution is followed by ReLU save the last, whose output is averaged over
the image: one logit per image, above 0 for real. `Patch` gives one per pixel.
"""

import functools

import flax.linen as nn
import jax

from adseg_jax.networks.layers import Conv, channels, resize


class TwoBranch(nn.Module):
  """The Stanford Background adversary: image and class map, then both.

  Both branches end in 64 channels, so that neither dominates. The image
  branch's two pools bring it to a class map at a quarter of the image's
  resolution (inferred: ports differ); for a map of another resolution the
  image is resized to four times the map first.
  """

  width: float = 1.0
  several = True  # what a tuple of maps shares is computed once

  @nn.compact
  def __call__(self, maps, images):
    """[B,h,w,C], [B,H,W,3] in about -2 to 2 -> [B].

    Of a tuple of maps, several of each image, the logits of each.
    """
    n = functools.partial(channels, width=self.width)
    h, w = jax.tree.leaves(maps)[0].shape[1:3]
    if (images.shape[1] // 4, images.shape[2] // 4) != (h, w):
      images = jax.image.resize(
          images, (images.shape[0], 4 * h, 4 * w, images.shape[3]), 'linear'
      )
    x = Conv(n(16), 5, pool=True, name='image1')(images)
    x = Conv(n(64), 5, pool=True, name='image2')(x)
    each = jax.tree.map
    y = each(Conv(n(64), 5, name='maps'), maps)
    x = Conv(n(128), pool=True, name='joint1')(x, y)
    x = each(Conv(n(256), pool=True, name='joint2'), x)
    x = each(Conv(n(512), name='joint3'), x)
    x = each(Conv(1, activation=None, mean=True, name='logit'), x)
    return each(lambda logits: logits[:, 0], x)


class FieldOfView(nn.Module):
  """The PASCAL VOC adversaries: convolutions on the encoded class map.

  Attributes:
    layers: (channels, kernel side) of each convolution but the last; a pool
      follows the layers named in `pools`.
    pools: indices into layers.
    last: kernel side of the convolution to one logit.
    width: factor on the channels.
  """

  layers: tuple[tuple[int, int], ...]
  pools: tuple[int, ...]
  last: int = 3
  width: float = 1.0

  @nn.compact
  def __call__(self, maps, images):
    """[B,h,w,C], images not used -> [B]."""
    del images
    x = maps
    for i, (features, size) in enumerate(self.layers):
      features = channels(features, self.width)
      x = Conv(features, size, pool=i in self.pools, name=f'conv{i + 1}')(x)
    last = Conv(1, self.last, activation=None, mean=True, name='logit')
    return last(x)[:, 0]


LargeFOV = functools.partial(
    FieldOfView, ((96, 3), (128, 3), (128, 3), (256, 3), (256, 3), (512, 3)),
    (2, 4),
)
LargeFOVLight = functools.partial(
    FieldOfView, ((96, 3), (128, 3), (128, 3), (128, 3), (128, 3), (256, 3)),
    (2, 4),
)
SmallFOV = functools.partial(
    FieldOfView, ((96, 3), (128, 1), (256, 3), (256, 1), (512, 3)), (1, 3), 1
)
SmallFOVLight = functools.partial(
    FieldOfView, ((96, 3), (128, 1), (128, 3), (128, 1), (256, 3)), (1, 3), 1
)


class Patch(nn.Module):
  """The fully convolutional discriminator of Hung et al. 2018.

  Five 4x4 convolutions of stride 2, LeakyReLU with slope 0.2, no batch norm,
  on maps that are brought to the image's size first: a logit for each 32x32
  pixels of the image, 11x11 of them at 321x321 (arXiv:1802.07934). There the
  logits are then upsampled to the image's size; here to the map's, on whose
  pixels the loss is taken.
  """

  width: float = 1.0

  @nn.compact
  def __call__(self, maps, images):
    """[B,h,w,C], [B,H,W,3], whose size alone is used -> [B,h,w]."""
    leaky = functools.partial(nn.leaky_relu, negative_slope=0.2)
    x = resize(maps, images.shape[1:3])
    for i, features in enumerate((64, 128, 256, 512)):
      features = channels(features, self.width)
      x = Conv(features, 4, 2, activation=leaky, name=f'conv{i + 1}')(x)
    x = Conv(1, 4, 2, activation=None, name='logit')(x)
    return resize(x, maps.shape[1:3])[..., 0]


DISCRIMINATORS = {
    'two_branch': TwoBranch,
    'large_fov': LargeFOV,
    'large_fov_light': LargeFOVLight,
    'small_fov': SmallFOV,
    'small_fov_light': SmallFOVLight,
    'patch': Patch,
}
