"""Both networks as functions of their parameters, as a step applies them."""

import functools

import jax

from adseg_jax.method import augmentation, encodings
from adseg_jax.method.precision import cast
from adseg_jax.method.reduction import devices
from adseg_jax.method.state import image_keys, step_key
from adseg_jax.networks.pyramid import local_normalize, standardize
from adseg_jax.networks.segmentors import CONSTANTS
from adseg_jax.networks.segmentors.resolution import sides


def segment(params, state, images, method, axis_name=None):
  """The segmentor as it trains.

  Returns:
    Logits [B,h,w,C], this device's share of the new model state.
  """
  key = step_key(state)
  if axis_name:
    key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))
  old = state.segmentor.model_state
  logits, new = method.segmentor.apply(
      {'params': cast(params, method.precision), **old}, images, train=True,
      # A mean over devices would move even a constant, by rounding.
      mutable=[name for name in old if name != CONSTANTS],
      rngs={'dropout': key},
  )
  count = devices(axis_name) * method.accumulate
  return cast(logits, 'float32'), jax.tree.map(lambda x: x / count, new)


def class_maps(logits, labels, method):
  """(the segmentor's map, the true one), each [B,h,w,C], zero at void.

  The true one may be softened by the segmentor's.
  """
  adversary = method.adversary
  tau = adversary.tau if adversary.encoding == 'scaling' else None
  real, fake = encodings.class_maps(logits, labels, tau=tau)
  # The truth is given: even where it is softened, nothing is learnt through it.
  return fake, jax.lax.stop_gradient(real)


def _colours(images, method):
  """What the discriminator sees of images [B,H,W,3] in 0..1."""
  if method.adversary.encoding == 'product':
    return local_normalize(images)
  return standardize(images)


def judge(params, images, state, method, axis_name=None):
  """The discriminator of these images, augmented and encoded.

  Args:
    params: its parameters.
    images: [B,H,W,3] in 0..1.

  Returns:
    Function of several maps of each image, each [B,h,w,C], to the logits of
    each: [B], or [B,h,w] of the maps' pixels, wherever it was shown them.
  """
  adversary, stride = method.adversary, method.segmentor.stride
  images, change = _colours(images, method), None
  if adversary.augment:
    keys = image_keys(state, len(images), axis_name)
    cells = sides(images.shape[1:3], stride)
    change = augmentation.draw(keys, cells, adversary.augment)
    images = augmentation.changed(images, change, stride)
  look = functools.partial(
      method.discriminator.apply,
      {'params': cast(params, method.precision)}, images=images,
  )

  def logits_of(*maps):
    if change:
      maps = tuple(augmentation.changed(one, change, 1) for one in maps)
    if adversary.encoding == 'product':
      maps = tuple(encodings.product(one, images) for one in maps)
    several = getattr(method.discriminator, 'several', False)
    found = cast(look(maps) if several else tuple(map(look, maps)), 'float32')
    # Void is left out where it was in the maps.
    return tuple(
        augmentation.returned(one, change) if change and one.ndim == 3 else one
        for one in found
    )

  return logits_of
