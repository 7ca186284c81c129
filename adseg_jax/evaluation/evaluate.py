"""Every image once, at its own size; few shapes compile."""

import io
from collections import defaultdict
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image

from adseg_jax.data.dataset import VOID
from adseg_jax.evaluation.metrics import confusion_matrix

# Sides are padded up to multiples of this, so that images of about one size
# share a compiled program.
BUCKET = 32


class Batch(NamedTuple):
  """Images of one padded size.

  Attributes:
    indices: which examples, as many as there are real ones in the batch.
    images: [B,H,W,3] float32 in 0..1, edges repeated, blank images last.
    labels: [B,H,W] uint8, void in padding and blank images.
    sizes: (height, width) of each real example.
  """

  indices: list[int]
  images: np.ndarray
  labels: np.ndarray
  sizes: list[tuple[int, int]]


def decode(encoded: bytes, mode: str) -> np.ndarray:
  """An encoded picture as uint8 [H,W,3] ('RGB') or [H,W] ('L')."""
  with Image.open(io.BytesIO(encoded)) as picture:
    return np.asarray(picture.convert(mode))


def evaluation_batches(examples, batch: int):
  """Yields a Batch for every `batch` examples that share a padded size.

  Every example is in exactly one batch; the last of a size is filled up with
  blank images whose labels are void.
  """
  buckets = defaultdict(list)
  for index, label in enumerate(examples.labels):
    with Image.open(io.BytesIO(label)) as picture:
      width, height = picture.size
    buckets[-(-height // BUCKET), -(-width // BUCKET)].append(index)
  for (rows, columns), indices in sorted(buckets.items()):
    for first in range(0, len(indices), batch):
      part = indices[first:first + batch]
      yield _batch(examples, part, batch, rows * BUCKET, columns * BUCKET)


def _batch(examples, indices, batch, height, width):
  images = np.zeros((batch, height, width, 3), np.float32)
  labels = np.full((batch, height, width), VOID, np.uint8)
  sizes = []
  for row, index in enumerate(indices):
    image = decode(examples.images[index], 'RGB')
    h, w = image.shape[:2]
    margin = ((0, height - h), (0, width - w), (0, 0))
    images[row] = np.pad(image, margin, 'edge') / np.float32(255)
    labels[row, :h, :w] = decode(examples.labels[index], 'L')
    sizes.append((h, w))
  return Batch(indices, images, labels, sizes)


def evaluate(predict, examples, num_classes: int, batch: int, keep=()):
  """Confusion matrix of a predictor over examples.

  Args:
    predict: images [B,H,W,3] float32 in 0..1 -> classes [B,H,W].
    examples: Examples.
    num_classes: C.
    batch: images per call of `predict`.
    keep: indices of examples whose prediction is wanted.

  Returns:
    (int64 [C,C], rows truth; {index: prediction uint8 [H,W]} of `keep`).
  """
  count = jax.jit(confusion_matrix, static_argnums=2)
  confusion = np.zeros((num_classes, num_classes), np.int64)
  kept = {}
  for part in evaluation_batches(examples, batch):
    predictions = np.asarray(predict(part.images))
    confusion += np.asarray(count(predictions, part.labels, num_classes))
    for row, index in enumerate(part.indices):
      if index in keep:
        h, w = part.sizes[row]
        kept[index] = predictions[row, :h, :w].astype(np.uint8)
  return confusion, kept
