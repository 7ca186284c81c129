"""Means over the batch of all devices: sums and counts cross, never means."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from adseg_jax.method.encodings import VOID
from adseg_jax.method.losses import cross_entropy, weigh


class Mean(NamedTuple):
  """Terms of a loss -> this device's share of their mean over the batch.

  The sum over devices is the mean. Terms are per pixel [B,h,w], void left out,
  or per image [B].

  Attributes:
    valid: [B,h,w], whether a pixel has a class.
    pixels: how many have, on all devices; at least 1.
    images: how many there are on all devices.
  """

  valid: jax.Array
  pixels: jax.Array
  images: np.float32

  def __call__(self, terms):
    """A scalar."""
    if terms.ndim == self.valid.ndim:
      return jnp.where(self.valid, terms, 0).sum() / self.pixels
    return terms.sum() / self.images


def mean_over(labels, axis_name: str | None, whole=None) -> Mean:
  """Means over the batch of all devices.

  Of labels [B,h,w] of this device's part, or of a part of that, where `whole`
  are all of them.
  """
  whole = labels if whole is None else whole
  pixels = total((whole != VOID).sum(), axis_name)
  return Mean(
      labels != VOID, jnp.maximum(pixels, 1).astype(jnp.float32),
      np.float32(len(whole) * devices(axis_name)),
  )


def reduced(terms, mean: Mean, method):
  """The mean of terms [B,h,w] over pixels, or, with the reduction 'sum', over
  images of sums over pixels; terms are 0 at void."""
  return mean(
      terms.sum((1, 2)) if method.adversary.reduction == 'sum' else terms
  )


def mean_cross_entropy(logits, labels, mean: Mean, method):
  """The `reduced` cross-entropy, weighted by class, and metrics of the logits.
  """
  terms = weigh(cross_entropy(logits, labels), labels, method.class_weights)
  return reduced(terms, mean, method), {
      'segmentation_loss': mean(terms),
      'pixel_accuracy': mean(jnp.argmax(logits, -1) == labels),
  }


def devices(axis_name: str | None) -> int:
  """How many devices share a batch."""
  return jax.lax.axis_size(axis_name) if axis_name else 1


def total(tree, axis_name: str | None):
  """The sum over devices, of all leaves at once."""
  # XLA on CPU copies even what it sums over one device.
  return jax.lax.psum(tree, axis_name) if devices(axis_name) > 1 else tree
