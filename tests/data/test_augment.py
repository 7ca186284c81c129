import functools

import jax
import numpy as np
import pytest
import tensorflow as tf

from adseg_jax.config import Data
from adseg_jax.data import augment
from adseg_jax.data.dataset import VOID

UNIT = np.float32(1 / 255)
PLAIN = Data(crop=(32, 40), scale=(1.0, 1.0), flip=False, jitter=0.0)


@functools.cache
def compiled(data):
  return tf.function(
      lambda image, label, seed: augment.augment(image, label, seed, data),
      input_signature=[
          tf.TensorSpec([None, None, 3], tf.uint8),
          tf.TensorSpec([None, None], tf.uint8),
          tf.TensorSpec([2], tf.int64),
      ],
  )


def crop(image, label, seed, data):
  image, label = compiled(data)(image, label, [0, seed])
  return image.numpy(), label.numpy()


def numbered(height, width, rng):
  """Row and column of each pixel in red and green, noise in blue."""
  rows, columns = np.mgrid[:height, :width]
  noise = rng.integers(0, 256, (height, width))
  image = np.stack([rows, columns, noise], -1).astype(np.uint8)
  return image, rng.integers(0, 12, (height, width)).astype(np.uint8)


def blocks(height, width, rng):
  """Labels in blocks of 8x8, and the colour that each label stands for."""
  coarse = rng.integers(0, 12, (height // 8, width // 8)).astype(np.uint8)
  colours = rng.integers(0, 256, (256, 3)).astype(np.uint8)
  return np.kron(coarse, np.ones((8, 8), np.uint8)), colours


def even(label):
  """Pixels whose 3x3 neighbourhood is known and has one label."""
  framed = np.pad(label, 1, constant_values=-1)
  windows = np.lib.stride_tricks.sliding_window_view(framed, (3, 3))
  return (windows == label[..., None, None]).all((-1, -2))


@pytest.mark.parametrize('flip', [False, True])
def test_image_and_label_move_together(rng, flip):
  label, colours = blocks(64, 80, rng)
  data = Data(crop=(72, 56), scale=(0.5, 2.0), flip=flip, jitter=0.0)
  padded = 0
  for seed in range(60):
    new_image, new_label = crop(colours[label], label, seed, data)
    void = new_label == VOID
    inner = even(new_label) & ~void
    assert inner.mean() > 0.1
    np.testing.assert_array_equal(
        new_image[inner], colours[new_label[inner]] * UNIT
    )
    np.testing.assert_array_equal(new_image[void], augment.PADDING)
    padded += void.any()
  assert 10 < padded < 60


def test_void_of_the_label_is_no_padding(rng):
  image, label = numbered(40, 48, rng)
  label[:] = VOID
  new_image, new_label = crop(image, label, 0, PLAIN)
  assert (new_label == VOID).all()
  assert len(np.unique(new_image)) > 100


def test_crop_at_scale_one_is_a_slice_to_the_bit(rng):
  image, label = numbered(34, 43, rng)
  places = set()
  for seed in range(80):
    new_image, new_label = crop(image, label, seed, PLAIN)
    top, left = np.round(new_image[0, 0, :2] * 255).astype(int)
    part = np.s_[top : top + 32, left : left + 40]
    np.testing.assert_array_equal(new_image, image[part] * UNIT)
    np.testing.assert_array_equal(new_label, label[part])
    places.add((top, left))
  assert len(places) == 3 * 4  # each place is reached


def test_mirrored_crop_at_scale_one_is_a_mirrored_slice(rng):
  image, label = numbered(34, 43, rng)
  data = Data(crop=(32, 40), scale=(1.0, 1.0), flip=True, jitter=0.0)
  mirrored = 0
  for seed in range(80):
    new_image, new_label = crop(image, label, seed, data)
    first, last = np.round(new_image[0, [0, -1], 1] * 255).astype(int)
    top = int(np.round(new_image[0, 0, 0] * 255))
    part = np.s_[top : top + 32, min(first, last) : max(first, last) + 1]
    step = 1 if first < last else -1
    np.testing.assert_array_equal(
        new_image, image[part][:, ::step] * UNIT
    )
    np.testing.assert_array_equal(new_label, label[part][:, ::step])
    mirrored += step < 0
  assert 25 < mirrored < 55


@pytest.mark.parametrize('mirror', [False, True])
@pytest.mark.parametrize('scaled, start', [
    ((37, 51), (0, 0)), ((37, 51), (5, 11)), ((83, 60), (51, 20)),
    ((24, 24), (-3, -16)), ((25, 70), (-7, 30)), ((1, 1), (-31, -39)),
])
def test_warp_is_resize_slice_and_mirror(rng, scaled, start, mirror):
  image, label = numbered(50, 59, rng)
  size = (32, 40)
  new_image, new_label, margins = augment.warp(
      image, label, tf.constant(scaled), tf.constant(start), mirror, size
  )
  resize = functools.partial(jax.image.resize, antialias=False)
  parts = [
      slice(max(first, 0), first + side)
      for first, side in zip(start, size, strict=True)
  ]
  step = -1 if mirror else 1
  wanted = np.asarray(resize(
      image.astype(np.float32), (*scaled, 3), 'linear'
  ))[*parts][:, ::step]
  np.testing.assert_allclose(new_image, wanted, rtol=1e-5, atol=1e-3)
  wanted = np.asarray(resize(label, scaled, 'nearest'))[*parts][:, ::step]
  np.testing.assert_array_equal(new_label, wanted)
  # A mark in a crop-sized canvas says how much is missing on each side.
  canvas = np.zeros(size, bool)
  rows, columns = (
      slice(max(-first, 0), max(length - first, 0))
      for first, length in zip(start, scaled, strict=True)
  )
  canvas[rows, columns] = True
  padded = tf.pad(tf.ones_like(new_label), margins).numpy().astype(bool)
  np.testing.assert_array_equal(padded, canvas[:, ::step])


def test_padding_is_void_and_grey_around_the_image(rng):
  image, label = numbered(40, 60, rng)
  data = Data(crop=(24, 33), scale=(0.5, 0.5), jitter=0.3)
  places = set()
  for seed in range(200):
    new_image, new_label = crop(image, label, seed, data)
    rows, columns = np.nonzero(new_label != VOID)
    top, left = rows.min(), columns.min()
    assert rows.max() - top == 19 and columns.max() - left == 29
    assert rows.size == 20 * 30
    np.testing.assert_array_equal(
        new_image[new_label == VOID], augment.PADDING
    )
    places.add((top, left))
  assert len(places) == 5 * 4  # each place is reached


def test_scale_fills_its_range_evenly_in_the_logarithm():
  columns = np.broadcast_to(np.arange(200, dtype=np.uint8), (200, 200))
  image, label = np.stack([columns] * 3, -1), np.zeros((200, 200), np.uint8)
  data = Data(crop=(8, 64), scale=(0.5, 2.0), flip=False, jitter=0.0)
  scales = []
  for seed in range(400):
    new_image, _ = crop(image, label, seed, data)
    middle = 255 * new_image[4, 8:-8, 0]  # the edges are continued
    scales.append((middle.size - 1) / (middle[-1] - middle[0]))
  halves = np.log2(scales)
  assert -1.01 < halves.min() < -0.97 and 0.97 < halves.max() < 1.01
  # A uniform draw from [-1, 1]: mean 0, variance 1/3, within three errors.
  assert abs(halves.mean()) < 3 * np.sqrt(1 / 3 / 400)
  assert abs(halves.var() - 1 / 3) < 3 * np.sqrt(4 / 45 / 400)


def test_jitter_changes_the_image_alone(rng):
  image, label = numbered(50, 70, rng)
  for seed in range(10):
    images, labels = zip(*(
        crop(image, label, seed, Data(crop=(64, 64), jitter=strength))
        for strength in (0.0, 0.4)
    ), strict=True)
    np.testing.assert_array_equal(*labels)
    inside = labels[0] != VOID
    assert np.abs(images[0] - images[1])[inside].mean() > 0.01
    assert images[1].min() >= 0 and images[1].max() <= 1


def test_jitter_is_brightness_then_contrast_then_saturation(rng):
  image = rng.random((5, 7, 3), np.float32)
  luma = np.array([0.299, 0.587, 0.114])
  for draws in rng.random((8, 3)):
    shift = 0.3 * (2 * draws[0] - 1)
    contrast, saturation = 0.7 + 0.6 * draws[1:]
    wanted = image + shift
    mean = np.mean(wanted @ luma)
    wanted = mean + contrast * (wanted - mean)
    grey = (wanted @ luma)[..., None]
    wanted = np.clip(grey + saturation * (wanted - grey), 0, 1)
    found = augment._jitter(image, tf.constant(draws, tf.float32), 0.3)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_brightness_reaches_its_bounds_and_no_further():
  # An even grey has no contrast and no saturation to change.
  image, label = np.full((9, 9, 3), 127, np.uint8), np.zeros((9, 9), np.uint8)
  data = Data(crop=(4, 4), jitter=0.2)
  shifts = np.array([
      crop(image, label, seed, data)[0][0, 0] - 127 / 255 for seed in range(300)
  ])
  np.testing.assert_allclose(shifts - shifts[:, :1], 0, atol=1e-6)
  assert -0.2 <= shifts.min() < -0.19 and 0.19 < shifts.max() <= 0.2


def test_a_seed_fixes_the_crop_and_another_changes_it(rng):
  image, label = numbered(60, 60, rng)
  data = Data(crop=(32, 32))
  first, again, other = (
      crop(image, label, seed, data) for seed in (5, 5, 6)
  )
  for one, same in zip(first, again, strict=True):
    np.testing.assert_array_equal(one, same)
  assert not np.array_equal(first[0], other[0])
  assert first[0].dtype == np.float32 and first[1].dtype == np.int32
