import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from adseg_jax.evaluation.boundary import boundary_overlap


def test_by_hand():
  """Two squares of 4x4, one pixel apart, with rims of one pixel."""
  truth, guess = np.zeros((2, 12, 12), np.uint8)
  truth[4:8, 4:8] = guess[4:8, 5:9] = 1
  both, either = boundary_overlap(guess, truth, 2, 1 / np.hypot(12, 12))
  # Rims of 12 pixels each; the top and the bottom row share 3 pixels.
  assert both[1] == 6 and either[1] == 18


def test_the_frame_bounds_a_class():
  """As in the authors' code: a map of one class has a rim at the frame."""
  label = np.zeros((10, 8), np.uint8)
  both, either = boundary_overlap(label, label, 2, 2 / np.hypot(10, 8))
  assert both.tolist() == either.tolist() == [10 * 8 - 6 * 4, 0]


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('width', [0.0, 0.02, 0.1])
def test_equals_repeated_erosion(seed, width):
  rng = np.random.default_rng(seed)
  label, guess = rng.integers(0, 3, (2, 5, 7)).repeat(6, 1).repeat(6, 2)
  times = max(1, round(width * np.hypot(30, 42)))

  def rim(mask):
    return mask & ~ndimage.binary_erosion(mask, np.ones((3, 3)), times)

  found = boundary_overlap(guess, label, 3, width)
  for index in range(3):
    one, other = rim(guess == index), rim(label == index)
    expected = [(one & other).sum(), (one | other).sum()]
    assert found[:, index].tolist() == expected


def test_void_is_not_counted_and_what_is_predicted_there_does_not_matter(rng):
  label, guess = rng.integers(0, 3, (2, 5, 7)).repeat(6, 1).repeat(6, 2)
  label[8:20, 5:15] = 255
  noise = rng.integers(0, 3, guess.shape)
  noisy = np.where(label == 255, noise, guess)
  found = boundary_overlap(guess, label, 3, 0.5)
  np.testing.assert_array_equal(found, boundary_overlap(noisy, label, 3, 0.5))
  # The rims are the whole regions: each pixel is in one truth and one guess.
  hits, valid = ((guess == label).sum(), (label != 255).sum())
  assert found[0].sum() == hits and found[1].sum() == 2 * valid - hits
  void = np.full((4, 4), 255)
  assert not boundary_overlap(void * 0, void, 3).any()


def test_refuses_maps_of_different_shapes():
  with pytest.raises(ValueError, match='shapes differ'):
    boundary_overlap(np.zeros((2, 3), int), np.zeros((3, 2), int), 2)


def test_workers_need_neither_jax_nor_tensorflow():
  code = (
      'import sys, adseg_jax.evaluation.workers; '
      "assert not {'jax', 'tensorflow', 'flax'} & set(sys.modules)"
  )
  subprocess.run([sys.executable, '-c', code], check=True)
