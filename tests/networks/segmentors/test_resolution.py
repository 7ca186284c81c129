import jax
import numpy as np
import pytest

from adseg_jax.networks.segmentors import (
    at_pixels,
    downsample_labels,
    resize_logits,
)

downsampled = jax.jit(downsample_labels, static_argnums=1)
resized = jax.jit(resize_logits, static_argnums=1)


def majority(cell):
  """The most frequent of a cell's labels; None where two are."""
  values, counts = np.unique(cell, return_counts=True)
  most = values[counts == counts.max()]
  return most[0] if len(most) == 1 else None


@pytest.mark.parametrize('stride', [1, 2, 4, 8])
def test_a_cell_has_the_label_of_most_of_its_pixels(rng, stride):
  labels = rng.choice(np.array([0, 1, 255]), (2, 19, 26), p=[0.5, 0.3, 0.2])
  found = np.asarray(downsampled(labels, stride))
  margin = (0, 0), (0, -19 % stride), (0, -26 % stride)
  labels = np.pad(labels, margin, constant_values=255)
  clear = 0
  for place, label in np.ndenumerate(found):
    rows, columns = (slice(stride * i, stride * (i + 1)) for i in place[1:])
    cell = labels[place[0], rows, columns]
    assert label in cell
    if (expected := majority(cell)) is not None:
      assert label == expected
      clear += 1
  assert clear > found.size / 2


def test_of_labels_as_frequent_one_at_the_middle_is_taken():
  cell = np.array([[0, 0, 0, 1], [0, 1, 1, 0], [0, 1, 1, 0], [1, 0, 1, 1]])
  np.testing.assert_array_equal(downsampled(cell[None], 4), [[[1]]])


def test_labels_lie_where_logits_do(rng):
  """A mirrored map has the mirrored labels: no side is preferred."""
  cells = rng.integers(0, 5, (1, 3, 5)).repeat(4, 1).repeat(4, 2)
  cells[:, ::4] = cells[:, 3::4] = 255
  cells[:, :, ::4] = 7
  found = np.asarray(downsampled(cells, 4))
  mirrored = np.asarray(downsampled(cells[:, ::-1, ::-1], 4))
  np.testing.assert_array_equal(mirrored[:, ::-1, ::-1], found)


@pytest.mark.parametrize('stride,size', [(4, (23, 31)), (8, (16, 24))])
def test_labels_have_the_size_of_logits_and_no_new_ids(rng, size, stride):
  labels = rng.choice(np.array([0, 7, 255]), (2, *size))
  found = downsampled(labels, stride)
  assert found.shape == (2, -(-size[0] // stride), -(-size[1] // stride))
  assert set(np.unique(found)) <= {0, 7, 255}


def test_resized_logits_align_with_downsampled_labels():
  """Half a plane of each class comes back where it was."""
  labels = np.zeros((1, 16, 32), np.int32)
  labels[:, :, 12:] = 1
  logits = np.eye(2, dtype=np.float32)[downsampled(labels, 4)]
  back = np.asarray(resized(logits, (16, 32))).argmax(-1)
  np.testing.assert_array_equal(back, labels)


def test_resized_logits_keep_their_mean_and_their_range(rng):
  logits = rng.standard_normal((2, 5, 6, 3), np.float32)
  back = np.asarray(resized(logits, (20, 24)))
  assert back.shape == (2, 20, 24, 3)
  assert back.max() <= logits.max() and back.min() >= logits.min()
  np.testing.assert_allclose(
      back.mean((1, 2)), logits.mean((1, 2)), atol=1e-5
  )


@pytest.mark.parametrize('size', [(16, 24), (13, 24), (10, 21)])
def test_logits_of_pixels_are_at_their_pixels_at_any_size(size):
  """A ramp over the pixels, sampled at the middles of cells, comes back."""
  stride = 4
  grid = tuple(-(-side // stride) for side in size)
  middles = np.float32(stride * np.arange(grid[1]) + (stride - 1) / 2)
  logits = np.broadcast_to(middles[:, None], (1, *grid, 1))
  found = np.asarray(jax.jit(at_pixels, static_argnums=(1, 2))(
      logits, stride, size
  ))
  assert found.shape == (1, *size, 1)
  inner = slice(stride // 2, (grid[1] - 1) * stride)
  np.testing.assert_allclose(
      found[0, 0, inner, 0], np.arange(size[1])[inner], atol=1e-5
  )
