import collections

import numpy as np
import pytest
from scipy import ndimage

from adseg_jax.evaluation.components import ERRORS, component_errors

FOUR = (0, 1), (1, 0), (0, -1), (-1, 0)
EIGHT = (*FOUR, (1, 1), (1, -1), (-1, 1), (-1, -1))


def drawn(*rows):
  return np.array([[int(cell) for cell in row] for row in rows], np.uint8)


def errors(guess, truth, classes=2):
  found = component_errors(guess, truth, classes)
  return {
      name: [int(value) for value in row]
      for name, row in zip(ERRORS, found, strict=True)
  }


def test_by_hand():
  truth = drawn(
      '1110000000',
      '1010000000',
      '1110000110',
      '0000000110',
      '0110000000',
  )
  guess = drawn(
      '1110000000',
      '1110001000',  # the hole is filled; a component touches a diagonal
      '1110000100',
      '0000000000',
      '0000100000',  # one elsewhere
  )
  assert errors(guess, truth) == {
      # Of class 1, the one elsewhere, and the truth's at the lower frame. Of
      # class 0, the pixel within the ring.
      'spurious_components': [0, 1], 'missing_components': [1, 1],
      # Of class 0, the right square is a hole in both, its diagonal neighbour
      # another in the guess; what touches the frame is none.
      'spurious_holes': [1, 0], 'missing_holes': [0, 1],
  }


def test_a_diagonal_encloses_and_connects():
  """Eight neighbours for a class, four for what it encloses."""
  ring = drawn('00000', '00100', '01010', '00100', '00000')
  full = drawn('00000', '00100', '01110', '00100', '00000')
  assert errors(full, ring) == {
      'spurious_components': [0, 0], 'missing_components': [0, 0],
      # The four of the ring are one, so that class 0 has a hole in both.
      'spurious_holes': [0, 0], 'missing_holes': [0, 1],
  }
  assert errors(ring, full)['spurious_holes'] == [0, 1]


def test_what_lies_at_the_frame_is_no_hole():
  truth = drawn('111', '101', '101')
  assert errors(truth, truth * 0 + 1)['spurious_holes'] == [0, 0]


def test_the_same_map_has_no_errors(rng):
  label = rng.integers(0, 4, (20, 30))
  assert not component_errors(label, label, 5).any()


def test_classes_that_are_missing_and_void():
  label = np.zeros((6, 6), np.uint8)
  assert errors(label + 1, label, 3) == {
      'spurious_components': [0, 1, 0], 'missing_components': [1, 0, 0],
      'spurious_holes': [0, 0, 0], 'missing_holes': [0, 0, 0],
  }
  assert np.isnan(component_errors(label, label + 255, 3)).all()


def test_what_is_predicted_at_void_does_not_matter(rng):
  label, guess = rng.integers(0, 3, (2, 5, 7)).repeat(4, 1).repeat(4, 2)
  label[6:14, 5:15] = 255
  noisy = np.where(label == 255, rng.integers(0, 3, guess.shape), guess)
  clean = component_errors(guess, label, 3)
  np.testing.assert_array_equal(component_errors(noisy, label, 3), clean)
  assert clean.any()


def flooded(mask, neighbours):
  """Sets of the pixels of each connected region, by breadth-first search."""
  left, found = set(map(tuple, np.argwhere(mask))), []
  while left:
    queue = collections.deque([left.pop()])
    found.append(set(queue))
    while queue:
      y, x = queue.popleft()
      near = {(y + b, x + a) for b, a in neighbours} & left
      left -= near
      found[-1] |= near
      queue.extend(near)
  return found


def enclosed(mask):
  """Regions of what scipy fills, which is another algorithm than labels."""
  return flooded(ndimage.binary_fill_holes(mask) & ~mask, FOUR)


@pytest.mark.parametrize('seed', range(4))
def test_equals_a_search_from_pixel_to_pixel(seed):
  rng = np.random.default_rng(seed)
  label, guess = rng.integers(0, 3, (2, 12, 16)).repeat(2, 1).repeat(2, 2)
  noise = rng.random(label.shape) < 0.1
  guess = np.where(rng.random(label.shape) < 0.6, label, guess)
  label = np.where(noise, rng.integers(0, 3, label.shape), label)
  found = component_errors(guess, label, 3)
  for index in range(3):
    masks = guess == index, label == index
    for rows, regions in (
        (found[:2], [flooded(mask, EIGHT) for mask in masks]),
        (found[2:], [enclosed(mask) for mask in masks]),
    ):
      for row, mine, theirs in zip(rows, regions, regions[::-1], strict=True):
        covered = set().union(*theirs)
        assert row[index] == sum(not one & covered for one in mine)
  assert (found.sum(1) > 0).all()


def test_refuses_maps_of_different_shapes():
  with pytest.raises(ValueError, match='shapes differ'):
    component_errors(np.zeros((2, 3), int), np.zeros((3, 2), int), 2)
