import io

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from adseg_jax.data.examples import Examples
from adseg_jax.evaluation.evaluate import evaluate, evaluation_batches
from adseg_jax.evaluation.gallery import panel_indices, write_panels
from adseg_jax.evaluation.predict import MARGIN, WINDOW, predict_large

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


@pytest.mark.parametrize('size', [
    (5, 7), (WINDOW - 2 * MARGIN, WINDOW), (WINDOW + 9, 40),
])
@pytest.mark.parametrize('batch', [1, 3])
def test_windows_equal_the_whole_image(rng, size, batch):
  image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
  shapes = set()

  def predict(images):
    shapes.add(images.shape)
    return jnp.asarray(oracle(images))

  np.testing.assert_array_equal(
      predict_large(predict, image, batch), image[..., 0] % CLASSES
  )
  assert shapes == {(batch, WINDOW, WINDOW, 3)}


@pytest.mark.parametrize('count,wanted,expected', [
    (90, 3, [0, 30, 60]), (2, 6, [0, 1]), (5, 0, []),
])
def test_panels_are_spread(count, wanted, expected):
  assert panel_indices(count, wanted) == expected


def test_panels_hold_indices_and_the_palette(tmp_path, examples, pictures):
  palette = ((1, 2, 3), (40, 50, 60), (70, 80, 90), (250, 0, 250))
  prediction = pictures[0][0][..., 0] % CLASSES
  write_panels(tmp_path, palette, examples, {0: prediction})
  with Image.open(tmp_path / 'n0_prediction.png') as picture:
    np.testing.assert_array_equal(np.asarray(picture), prediction)
    colours = np.asarray(picture.convert('RGB'))
  np.testing.assert_array_equal(colours, np.array(palette)[prediction])
  with Image.open(tmp_path / 'n0_truth.png') as picture:
    np.testing.assert_array_equal(np.asarray(picture), pictures[1][0])
    void = np.asarray(picture.convert('RGB'))[pictures[1][0] == 255]
  assert (void == 255).all()
  with Image.open(tmp_path / 'n0_image.png') as picture:
    np.testing.assert_array_equal(np.asarray(picture), pictures[0][0])
