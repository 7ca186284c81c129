import numpy as np
import pytest

from adseg_jax.evaluation.windows import slide, starts, weights


@pytest.mark.parametrize('length,window,overlap', [
    (10, 10, 0.33), (11, 10, 0.0), (100, 10, 0.5), (97, 13, 0.25), (5, 1, 0.9),
])
def test_windows_cover_a_side_and_overlap(length, window, overlap):
  found = starts(length, window, overlap)
  assert found[0] == 0 and found[-1] == length - window
  steps = np.diff(found)
  assert (steps > 0).all() and (steps <= max(1, window * (1 - overlap))).all()


def test_windows_of_no_overlap_are_as_few_as_can_be():
  assert starts(30, 10, 0.0) == [0, 10, 20]
  assert starts(10, 10, 0.0) == [0]


def test_weights_fall_towards_the_border():
  found = weights((8, 4), 0.25)
  np.testing.assert_allclose(found[:, 1], [0.5, 1, 1, 1, 1, 1, 1, 0.5])
  np.testing.assert_allclose(found[0], [0.5] * 4)


def by_pixel(images):
  """Probabilities from a pixel's own colour."""
  return np.stack([images[..., 0], 1 - images[..., 0]], -1)


@pytest.mark.parametrize('batch', [1, 3])
@pytest.mark.parametrize('size', [(16, 16), (17, 40), (53, 31)])
def test_a_pixel_s_own_probabilities_stay(rng, size, batch):
  image = rng.random((*size, 3), np.float32)
  shapes = set()

  def predict(images):
    shapes.add(images.shape)
    return by_pixel(images)

  found = slide(predict, image, (16, 12), 0.33, batch)
  assert found.dtype == np.float32
  np.testing.assert_allclose(found, by_pixel(image), atol=1e-6)
  assert shapes == {(batch, 16, 12, 3)}


def test_windows_blend_without_a_seam():
  """Two windows that disagree: their means change by little from pixel to
  pixel."""
  image = np.zeros((8, 24, 3), np.float32)
  image[:, 8:] = np.arange(16)[:, None]

  def predict(images):
    whole = np.broadcast_to(images[:, :1, :1, :1], (*images.shape[:3], 1))
    return whole.copy()

  found = slide(predict, image, (8, 16), 0.5, 1)[0, :, 0]
  assert found[0] == 0 and found[-1] == image[0, 8, 0] == 0
  image[:, 8:] += 8
  found = slide(predict, image, (8, 16), 0.5, 1)[0, :, 0]
  assert found[0] == 0 and found[-1] == 8
  assert 0 < np.diff(found).max() < 2
