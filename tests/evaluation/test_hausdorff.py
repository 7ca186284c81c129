import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import cdist, directed_hausdorff

from adseg_jax.evaluation.boundary import hausdorff

CROSS = ndimage.generate_binary_structure(2, 1)


def square(left, top=10, side=20):
  label = np.zeros((40, 50), np.uint8)
  label[top:top + side, left:left + side] = 1
  return label


def test_by_hand():
  """A square that is moved by 3: the outer columns are 3 pixels away."""
  np.testing.assert_array_equal(
      hausdorff(square(13), square(10), 3), [3, 3, np.nan]
  )
  label = square(10)
  np.testing.assert_array_equal(hausdorff(label, label, 2), [0, 0])


def test_few_pixels_far_away_are_outliers():
  label, guess = square(10), square(10)
  guess[35, 45] = 1  # one of 77 pixels of the boundary
  assert hausdorff(guess, label, 2)[1] == 0
  farthest = hausdorff(guess, label, 2, share=1)[1]
  assert farthest == pytest.approx(np.hypot(35 - 29, 45 - 29))
  guess[34:37, 40:46] = 1
  assert hausdorff(guess, label, 2)[1] > 5


def test_a_class_in_one_map_only_is_as_far_as_can_be():
  label = np.zeros((30, 40), np.uint8)
  np.testing.assert_array_equal(
      hausdorff(label + 1, label, 3), [50, 50, np.nan]
  )
  # A class that fills one map has no boundary there.
  half = label.copy()
  half[:, 20:] = 1
  np.testing.assert_array_equal(hausdorff(half, label, 2), [50, 50])
  np.testing.assert_array_equal(hausdorff(label, label, 2), [0, np.nan])
  void = np.full((30, 40), 255, np.uint8)
  assert np.isnan(hausdorff(label, void, 2)).all()


def test_what_is_predicted_at_void_does_not_matter(rng):
  label, guess = rng.integers(0, 3, (2, 5, 7)).repeat(6, 1).repeat(6, 2)
  label[8:20, 5:15] = 255
  noisy = np.where(label == 255, rng.integers(0, 3, guess.shape), guess)
  found = hausdorff(guess, label, 3)
  np.testing.assert_array_equal(found, hausdorff(noisy, label, 3))
  assert (found > 0).all()


def outline(mask):
  """By erosion, in which what lies outside the frame counts as inside."""
  return np.argwhere(
      mask & ~ndimage.binary_erosion(mask, CROSS, border_value=1)
  )


@pytest.mark.parametrize('seed', range(3))
def test_equals_all_pairs_of_pixels(seed):
  rng = np.random.default_rng(seed)
  label, guess = rng.integers(0, 3, (2, 6, 7)).repeat(5, 1).repeat(4, 2)
  found, most = hausdorff(guess, label, 3), hausdorff(guess, label, 3, 1)
  for index in range(3):
    one, other = outline(guess == index), outline(label == index)
    apart = cdist(one, other)
    expected = max(
        np.percentile(apart.min(axis), 95) for axis in (0, 1)
    )
    assert found[index] == pytest.approx(expected, rel=1e-12)
    assert most[index] == pytest.approx(max(
        directed_hausdorff(one, other)[0], directed_hausdorff(other, one)[0]
    ), rel=1e-12)


def test_refuses_maps_of_different_shapes():
  with pytest.raises(ValueError, match='shapes differ'):
    hausdorff(np.zeros((2, 3), int), np.zeros((3, 2), int), 2)
