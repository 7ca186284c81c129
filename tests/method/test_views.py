"""Strong views: colours by hand, and where holes are."""

import jax
import numpy as np
import pytest

from adseg_jax.method import views

GREY = (0.299, 0.587, 0.114)
IMAGE = np.array([[[0.2, 0.4, 0.6], [0.4, 0.4, 0.4]]], np.float32)


def keys(count, seed=0):
  return jax.random.split(jax.random.key(seed), count)


@pytest.mark.parametrize('shift,contrast,saturation,expected', [
    (0.0, 1.0, 1.0, IMAGE),
    (0.3, 1.0, 1.0, IMAGE + 0.3), (0.7, 1.0, 1.0, np.minimum(IMAGE + 0.7, 1)),
    # Lumas are 0.363 and 0.4.
    (0.0, 1.0, 0.0, [[[0.363] * 3, [0.4] * 3]]),
    (0.0, 1.0, 1.5, [[[0.1185, 0.4185, 0.7185], [0.4] * 3]]),
    (0.0, 0.5, 1.0, 0.3815 + 0.5 * (IMAGE - 0.3815)),
])
def test_colours_by_hand(shift, contrast, saturation, expected):
  np.testing.assert_allclose(IMAGE[0] @ np.array(GREY), [0.363, 0.4], atol=1e-6)
  found = views.recoloured(IMAGE, shift, contrast, saturation)
  np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_is_hidden_is_hidden_and_nothing_else():
  rng = np.random.default_rng(0)
  # 9 x 7 cells of 4 pixels, the last of a row only 2 wide.
  images = rng.random((6, 36, 26, 3), np.float32)
  found, hidden = map(np.asarray, views.strong(images, keys(6), 4))
  assert found.shape == images.shape and hidden.shape == (6, 9, 7)
  assert found.min() >= 0 and found.max() <= 1
  where = hidden.repeat(4, 1).repeat(4, 2)[:, :36, :26]
  np.testing.assert_array_equal(found[where], 0.5)
  assert (found[~where] != 0.5).mean() > 0.9
  for one in hidden:
    rows, columns = (len({*places.tolist()}) for places in np.nonzero(one))
    # Half of the sides, rounded, less what lies outside.
    assert 3 <= rows <= 5 and 2 <= columns <= 4
    assert one.sum() == rows * columns


def test_a_view_is_a_function_of_its_image_and_key():
  images = np.random.default_rng(0).random((4, 16, 16, 3), np.float32)
  whole, hidden = views.strong(images, keys(4), 4)
  part, alone = views.strong(images[2:], keys(4)[2:], 4)
  np.testing.assert_array_equal(whole[2:], part)
  np.testing.assert_array_equal(hidden[2:], alone)
  other, _ = views.strong(images, keys(4, seed=1), 4)
  assert not np.array_equal(whole, other)


def test_keys_draw_colours_within_their_range():
  """Of a grey image of 0.5: its contrast and saturation can't be seen."""
  images = np.full((200, 4, 4, 3), 0.5, np.float32)
  found, hidden = views.strong(images, keys(200), 1)
  shown = np.asarray(found)[~np.asarray(hidden)]
  assert shown.min() < 0.05 and shown.max() > 0.95
