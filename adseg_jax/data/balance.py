"""Weights of classes, from how often each is in the training images."""

import concurrent.futures
import io

import numpy as np
from PIL import Image


def class_weights(
    labels, num_classes: int, exponent: float
) -> tuple[float, ...]:
  """(1 / frequency) ** exponent, scaled to a mean of 1 over pixels.

  The frequency of a class is its share of the pixels that have a class, in
  the images where it is present (Eigen and Fergus 2015, arXiv:1411.4734; as
  quoted by later papers). Their median frequency is a factor of all weights,
  so that the scaling takes it out. A mean of 1 keeps the loss, and with it
  lambda, on the scale that it has without weights.

  Args:
    labels: encoded 8-bit grey PNG files of class ids, 255 void.
    num_classes: C.
    exponent: 0 weighs all alike, 1 balances in full.

  Returns:
    C numbers; a class that is in no image weighs 1.
  """
  def count(label):
    with Image.open(io.BytesIO(label)) as picture:
      return np.bincount(np.asarray(picture).ravel(), minlength=256)

  with concurrent.futures.ThreadPoolExecutor() as pool:
    counts = np.array(list(pool.map(count, labels)))[:, :num_classes]
  pixels = counts.sum(0)
  here = (counts > 0) * counts.sum(1, keepdims=True)
  seen = pixels > 0
  frequency = pixels[seen] / here.sum(0)[seen]
  balanced = frequency**-exponent
  weights = np.ones(num_classes)
  weights[seen] = balanced / np.average(balanced, weights=pixels[seen])
  return tuple(weights.tolist())
