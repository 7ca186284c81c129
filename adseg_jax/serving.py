"""From a picture to its labels, in one pure function."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from adseg_jax.evaluation.inference import forward
from adseg_jax.evaluation.resampling import ceil_to
from adseg_jax.layers import resize
from adseg_jax.training.restore import restore


def pad_to_buckets(images):
  """[B,H,W,3] -> the same with sides in whole buckets, edges repeated."""
  for axis in (1, 2):
    side = images.shape[axis]
    # Not jnp.pad: an exported program's sides are symbols.
    place = jnp.minimum(jnp.arange(ceil_to(side)), side - 1)
    images = jnp.take(images, place, axis, mode='clip')
  return images


def segment(variables, images, *, segmentor, size=(0, 0)):
  """Labels and probabilities of pictures of one size.

  Args:
    variables: the segmentor's.
    images: uint8 [B,H,W,3], RGB.
    segmentor: Linen module.
    size: height and width that the segmentor was trained at; 0 0: any.

  Returns:
    (labels uint8 [B,H,W], probabilities float32 [B,H,W,C]).
  """
  own = images.shape[1:3]
  seen = tuple(size) if any(size) else own
  images = images.astype(jnp.float32) / 255
  if seen != own:
    images = jax.image.resize(
        images, (images.shape[0], *seen, 3), 'cubic', antialias=True
    )
    images = jnp.clip(images, 0, 1)
  maps = forward(variables, pad_to_buckets(images), segmentor=segmentor)
  maps = resize(maps[:, :seen[0], :seen[1]], own)
  return jnp.argmax(maps, -1).astype(jnp.uint8), maps


class Segment:
  """A trained segmentor: image uint8 [H,W,3] -> (labels, probabilities).

  The picture is seen whole: a large one may not fit the device, and a program
  compiles for each size. `adseg predict` uses windows for large pictures, and
  pads others to a few sizes.

  Attributes:
    classes: name of each class; the index is the label.
    palette: red, green and blue of each class, 0 to 255.
    step: the step that was loaded.
  """

  def __init__(self, trained):
    """A `Trained` segmentor, compiled for each size at its first picture."""
    self.classes, self.palette = trained.classes, trained.palette
    self.step = trained.step
    self._variables = jax.device_put(trained.variables)
    self._segment = jax.jit(functools.partial(
        segment, segmentor=trained.segmentor,
        size=trained.experiment.data.size,
    ))

  def __call__(self, image):
    """(labels uint8 [H,W], probabilities float32 [H,W,C]) of a picture.

    Args:
      image: uint8 [H,W,3], RGB, at any size.

    Raises:
      ValueError: it has another type or shape.
    """
    image = image if isinstance(image, jax.Array) else np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or (
        0 in image.shape
    ):
      raise ValueError(
          f'the image is {image.dtype} {list(image.shape)}: give uint8 '
          '[H,W,3], RGB'
      )
    labels, probabilities = self._segment(self._variables, image[None])
    return labels[0], probabilities[0]


def load(workdir, checkpoint: str = 'last') -> Segment:
  """As `adseg_jax.load`."""
  return Segment(restore(workdir, checkpoint))
