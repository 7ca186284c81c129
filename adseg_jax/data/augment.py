"""Joint augmentation of image and label: a pure function of (example, seed).

Scale, crop and mirror are one list of source positions along each axis, which
image and label share, so they can't come apart. Written for tf.data: tensors
in and out.
"""

import tensorflow as tf

from adseg_jax import config
from adseg_jax.data.dataset import VOID

# Padding is mid-grey: the centre of the range, so a network that centres its
# input sees about nothing there. Void keeps it out of every loss.
PADDING = 0.5
# Luma of red, green and blue: ITU-R BT.601.
_LUMA = (0.299, 0.587, 0.114)


def augment(image, label, seed, data: config.Data):
  """A random training crop.

  The scale is uniform in its logarithm: halving is as likely as doubling.
  The crop is placed uniformly, in whole pixels of the scaled image; along a
  side where the scaled image is smaller, it is placed uniformly in the crop
  and the rest is padding.

  Args:
    image: uint8 [H,W,3].
    label: uint8 [H,W], class ids, 255 is void.
    seed: int32 or int64 [2]; the same seed gives the same crop.
    data: crop, scale, flip and jitter are read.

  Returns:
    image, float32 [h,w,3] in 0..1, 0.5 in the padding; label, int32 [h,w],
    255 in the padding.
  """
  # Named, so that the stream does not depend on the kind of device.
  draws = tf.random.stateless_uniform([7], seed, alg='philox')
  low, high = data.scale
  scale = low * (high / low) ** draws[0]
  side = tf.cast(tf.shape(label), tf.float32)
  scaled = tf.maximum(tf.cast(tf.round(side * scale), tf.int32), 1)
  room = scaled - data.crop
  places = tf.cast(tf.abs(room) + 1, tf.float32)
  start = tf.minimum(room, 0) + tf.cast(draws[1:3] * places, tf.int32)
  mirror = data.flip and draws[3] < 0.5
  image, label, margins = warp(image, label, scaled, start, mirror, data.crop)
  # TensorFlow may compile a quotient to this product; so write the product.
  image = image * (1.0 / 255.0)
  if data.jitter:
    image = _jitter(image, draws[4:], data.jitter)
  return _pad(image, label, margins, data.crop)


def warp(image, label, scaled, start, mirror, crop: tuple[int, int]):
  """Resizes to `scaled`, cuts the crop at `start`, mirrors it: in one pass.

  Pixel centres lie at half integers, as in `jax.image.resize`: pixel k of the
  scaled side is at (k + 1/2) side / scaled - 1/2 of the image. The image is
  bilinear, without antialiasing; the label takes the nearest pixel. At scale
  1 this is slicing, to the bit.

  Args:
    image: uint8 [H,W,3].
    label: uint8 [H,W].
    scaled: int32 [2], the height and width that the image is resized to.
    start: int32 [2], row and column of the scaled image where the crop
      begins; negative where it begins before the image.
    mirror: bool, left to right.
    crop: height and width of the crop.

  Returns:
    image, float32 [r,c,3] in 0..255, and label, uint8 [r,c]: the part of the
    crop that the scaled image covers; margins, int32 [2,2]: the rows missing
    above and below it, the columns missing left and right.
  """
  rows, columns = (
      _positions(tf.shape(label)[axis], scaled[axis], start[axis], crop[axis])
      for axis in (0, 1)
  )
  margins = tf.maximum(tf.stack([-start, start + crop - scaled], 1), 0)
  across = tf.where(mirror, margins[1, ::-1], margins[1])
  columns = tf.where(mirror, columns[::-1], columns)
  for axis, position in enumerate((rows, columns)):
    image = _interpolate(image, position, axis)
    label = tf.gather(label, tf.cast(position + 0.5, tf.int32), axis=axis)
  return image, label, tf.stack([margins[0], across])


def _positions(side, scaled, start, crop: int):
  """Where a crop's pixels lie in the image, along an axis: float64."""
  pixels = tf.range(tf.maximum(start, 0), tf.minimum(start + crop, scaled))
  side, scaled = tf.cast(side, tf.float64), tf.cast(scaled, tf.float64)
  positions = (tf.cast(pixels, tf.float64) + 0.5) * side / scaled - 0.5
  # Upsampling reaches half a pixel over the edge: continue the edge.
  return tf.clip_by_value(positions, 0.0, side - 1.0)


def _interpolate(image, position, axis: int):
  """Linear interpolation of [H,W,3] at positions along an axis."""
  below = tf.floor(position)
  above = tf.math.ceil(position)
  shape = [-1, 1] if axis else [-1, 1, 1]
  weight = tf.reshape(tf.cast(position - below, tf.float32), shape)
  below, above = (
      tf.cast(
          tf.gather(image, tf.cast(index, tf.int32), axis=axis), tf.float32
      ) for index in (below, above)
  )
  return below + (above - below) * weight


def _jitter(image, draws, strength: float):
  """Shifts brightness, scales contrast, then saturation; clips to 0..1.

  Contrast is about the image's mean luma, saturation about each pixel's luma.
  All three are linear, so they are one 3x3 matrix and one offset.
  """
  shift = strength * (2.0 * draws[0] - 1.0)
  contrast, saturation = tf.unstack(1.0 + strength * (2.0 * draws[1:] - 1.0))
  # Rows first: TensorFlow is slow to sum two axes at once.
  colour = tf.reduce_mean(tf.reduce_mean(image, 0), 0)
  mean = tf.reduce_sum(colour * _LUMA)
  grey = tf.tile(tf.constant(_LUMA)[:, None], [1, 3])
  matrix = saturation * tf.eye(3) + (1.0 - saturation) * grey
  offset = mean * (1.0 - contrast) + shift
  image = tf.tensordot(image, contrast * matrix, 1) + offset
  return tf.clip_by_value(image, 0.0, 1.0)


def _pad(image, label, margins, crop: tuple[int, int]):
  """Fills the crop: grey around the image, void around the label."""
  image = tf.pad(
      image, tf.concat([margins, [[0, 0]]], 0), constant_values=PADDING
  )
  label = tf.pad(tf.cast(label, tf.int32), margins, constant_values=VOID)
  return tf.ensure_shape(image, [*crop, 3]), tf.ensure_shape(label, crop)
