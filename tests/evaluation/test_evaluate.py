import io

import numpy as np
import pytest
from PIL import Image

from adseg_jax.data.examples import Examples
from adseg_jax.evaluation.evaluate import evaluate, evaluation_batches

CLASSES = 4
SIZES = [(40, 33), (40, 33), (64, 64), (33, 40), (1, 1), (39, 60), (64, 50)]


def png(array):
  out = io.BytesIO()
  Image.fromarray(array).save(out, 'png')
  return out.getvalue()


@pytest.fixture
def pictures(rng):
  """Images and labels of odd and mixed sizes, some pixels void."""
  images = [rng.integers(0, 256, (*s, 3), dtype=np.uint8) for s in SIZES]
  labels = [rng.integers(0, CLASSES, s, dtype=np.uint8) for s in SIZES]
  for label in labels:
    label[rng.random(label.shape) < 0.2] = 255
  return images, labels


@pytest.fixture
def examples(pictures):
  images, labels = (tuple(map(png, arrays)) for arrays in pictures)
  return Examples(images, labels, tuple(f'n{i}' for i in range(len(SIZES))))


def oracle(images):
  """A class from a pixel's own colour: padding can't change it."""
  return np.asarray(images[..., 0] * 255).round().astype(np.int32) % CLASSES


def plain_confusion(images, labels):
  """Whole images, pixel by pixel."""
  counts = np.zeros((CLASSES, CLASSES), np.int64)
  for image, label in zip(images, labels, strict=True):
    predicted = image[..., 0].astype(int) % CLASSES
    for truth, guess in zip(label.ravel(), predicted.ravel(), strict=True):
      if truth != 255:
        counts[truth, guess] += 1
  return counts


@pytest.mark.parametrize('batch', [1, 2, 4])
def test_equals_numpy_on_whole_images(pictures, examples, batch):
  confusion, kept = evaluate(oracle, examples, CLASSES, batch, keep=(1, 5))
  np.testing.assert_array_equal(confusion, plain_confusion(*pictures))
  assert confusion.dtype == np.int64
  assert sorted(kept) == [1, 5]
  for index, prediction in kept.items():
    np.testing.assert_array_equal(
        prediction, pictures[0][index][..., 0] % CLASSES
    )


def test_every_example_is_in_one_batch_and_few_shapes_occur(examples):
  batches = list(evaluation_batches(examples, 2))
  seen = [index for batch in batches for index in batch.indices]
  assert sorted(seen) == list(range(len(SIZES)))
  assert {batch.images.shape for batch in batches} == {
      (2, 32, 32, 3), (2, 64, 64, 3)
  }


def test_blank_images_and_padding_are_void(examples):
  *_, last = evaluation_batches(examples, 4)
  assert len(last.indices) == 2
  assert (last.labels[2:] == 255).all()
  for row, (h, w) in enumerate(last.sizes):
    assert (last.labels[row, h:] == 255).all()
    assert (last.labels[row, :, w:] == 255).all()


def test_padding_repeats_the_edge(examples, pictures):
  batch = next(b for b in evaluation_batches(examples, 1) if b.indices == [0])
  image = pictures[0][0].astype(np.float32) / 255
  np.testing.assert_allclose(batch.images[0, :40, :33], image, rtol=1e-6)
  np.testing.assert_allclose(
      batch.images[0, 50, :33], image[-1], rtol=1e-6
  )


def test_sizes_of_one_bucket_share_a_shape(rng):
  sizes = [(33, 64), (64, 33), (50, 60), (64, 64)]
  pictures = tuple(
      png(rng.integers(0, CLASSES, size, dtype=np.uint8)) for size in sizes
  )
  examples = Examples(pictures, pictures, tuple('abcd'))
  shapes = {batch.images.shape for batch in evaluation_batches(examples, 3)}
  assert shapes == {(3, 64, 64, 3)}


def test_what_is_predicted_in_blank_images_and_padding_does_not_count(
    pictures, examples
):
  """Whatever a network makes of them."""
  def shifted(images):
    found = oracle(images)
    blank = (images == 0).all((1, 2, 3))
    found[blank] = CLASSES - 1
    return found

  confusion, _ = evaluate(shifted, examples, CLASSES, 4)
  np.testing.assert_array_equal(confusion, plain_confusion(*pictures))
  valid = sum((label != 255).sum() for label in pictures[1])
  assert confusion.sum() == valid


def test_nothing_is_kept_unless_asked_for(examples):
  assert evaluate(oracle, examples, CLASSES, 2)[1] == {}
