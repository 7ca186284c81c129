import numpy as np
import pytest

from adseg_jax.evaluation.predict import MARGIN, WINDOW, predict_large

INNER = WINDOW - 2 * MARGIN


def by_pixel(images):
  """A class from a pixel's own colour."""
  return (images[..., 0] * 255).round().astype(np.int32) % 7


@pytest.mark.parametrize('size', [
    (1, 1), (5, 7), (INNER, WINDOW), (WINDOW + 9, 40), (INNER + 1, INNER),
])
@pytest.mark.parametrize('batch', [1, 3])
def test_windows_equal_the_whole_image(rng, size, batch):
  image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
  shapes = set()

  def predict(images):
    shapes.add(images.shape)
    assert images.dtype == np.float32
    return by_pixel(images)

  found = predict_large(predict, image, batch)
  assert found.dtype == np.uint8
  np.testing.assert_array_equal(found, image[..., 0] % 7)
  assert shapes == {(batch, WINDOW, WINDOW, 3)}


@pytest.mark.parametrize('reach', [
    (MARGIN, MARGIN), (-MARGIN, MARGIN), (MARGIN, -MARGIN),
])
def test_windows_have_the_context_that_a_pixel_needs(rng, reach):
  """A predictor that reads a far neighbour finds the same at every seam."""
  image = rng.integers(0, 256, (INNER + 50, INNER + 70, 3), dtype=np.uint8)

  def neighbours(images):
    rows, columns = (
        np.clip(np.arange(side) + far, 0, side - 1)
        for side, far in zip(images.shape[1:3], reach, strict=True)
    )
    return by_pixel(images[:, rows][:, :, columns])

  np.testing.assert_array_equal(
      predict_large(neighbours, image, 2),
      neighbours(image[None] / np.float32(255))[0],
  )
