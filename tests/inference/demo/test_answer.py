import numpy as np
import pytest

from adseg_jax.inference.demo.answer import (
    SHOWN,
    SURE,
    UNSURE,
    answer,
    confidence_map,
)

PALETTE = ((0, 0, 0), (100, 40, 201), (200, 0, 100))


def test_by_hand():
  picture = np.array([[[10, 20, 30], [50, 60, 71]]], np.uint8)
  probabilities = np.array([[[0.2, 0.7, 0.1], [0.0, 0.0, 1.0]]], np.float32)
  found = answer(picture, probabilities, PALETTE)
  np.testing.assert_array_equal(found.picture, picture)
  # Halfway between the pixel and its class's colour, cut to whole levels.
  np.testing.assert_array_equal(
      found.overlay, [[[55, 30, 115], [125, 30, 85]]]
  )
  np.testing.assert_allclose(found.shares, [0, 0.5, 0.5])
  assert found.confidence == pytest.approx(0.85)
  # (0.7 - 1/3) / (2/3) = 0.55 of the way; level 140 of 255.
  np.testing.assert_array_equal(found.map, [[[144, 162, 188], SURE]])


def test_confidence_runs_from_all_alike_to_certain():
  largest = np.array([[0.25, 0.625, 1]], np.float32)
  low, middle, high = np.asarray(confidence_map(largest, 4))[0].astype(int)
  assert tuple(low) == UNSURE and tuple(high) == SURE
  np.testing.assert_allclose(middle, (low + high) / 2, atol=1)
  assert confidence_map(np.ones((1, 1), np.float32), 1).size == (1, 1)


def test_a_large_picture_is_reduced_and_its_numbers_are_not(rng):
  """The one pixel of class 2 is in the numbers."""
  picture = rng.integers(0, 256, (3, 2 * SHOWN + 1, 3), np.uint8)
  probabilities = np.zeros((*picture.shape[:2], 3), np.float32)
  probabilities[..., 0] = 1
  probabilities[0, 0] = 0, 0.25, 0.75
  found = answer(picture, probabilities, PALETTE)
  for shown in found[:3]:
    assert shown.size == (-(-picture.shape[1] // 3), 1)
  count = picture.shape[0] * picture.shape[1]
  np.testing.assert_allclose(
      found.shares, [1 - 1 / count, 0, 1 / count], rtol=1e-12
  )
  assert found.confidence == pytest.approx(1 - 0.25 / count, rel=1e-9)
