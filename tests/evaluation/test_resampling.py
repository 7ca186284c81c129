import jax
import numpy as np
import pytest
from PIL import Image

from adseg_jax.evaluation.resampling import (
    resample,
    resample_on_host,
    resize_picture,
    taps,
)

SIZES = [((7, 9), (13, 9)), ((12, 8), (6, 31)), ((1, 1), (5, 4))]


def test_equals_jax_image_resize_for_each_image(rng):
  maps = rng.random((3, 12, 10, 2), np.float32)
  own = [(5, 10), (12, 8), (1, 1)]
  target = [(16, 3), (12, 16), (7, 9)]
  found = jax.jit(resample)(maps, *(
      taps([o[axis] for o in own], [t[axis] for t in target], 16)
      for axis in range(2)
  ))
  assert found.shape == (3, 16, 16, 2)
  for i, ((h, w), (H, W)) in enumerate(zip(own, target, strict=True)):
    expected = jax.image.resize(
        maps[i, :h, :w], (H, W, 2), 'bilinear', antialias=False
    )
    np.testing.assert_allclose(found[i, :H, :W], expected, atol=1e-6)
    host = resample_on_host(maps[i, :h, :w], (H, W))
    np.testing.assert_allclose(host, expected, atol=1e-6)


@pytest.mark.parametrize('size,target', SIZES)
def test_pictures_are_resized_as_training_resizes_them(rng, size, target):
  image = rng.integers(0, 256, (*size, 3), np.uint8)
  found = resize_picture(image, target)
  assert found.dtype == np.float32 and found.shape == (*target, 3)
  assert found.min() >= 0 and found.max() <= 255
  theirs = Image.fromarray(image).resize(
      target[::-1], Image.Resampling.BICUBIC
  )
  # Pillow rounds after each of the two directions.
  np.testing.assert_allclose(found, np.asarray(theirs), atol=1.6)


@pytest.mark.parametrize('size,target', SIZES)
def test_pictures_are_resized_as_an_exported_program_resizes_them(
    rng, size, target
):
  image = rng.integers(0, 256, (*size, 3), np.uint8)
  theirs = jax.image.resize(
      image.astype(np.float32), (*target, 3), 'cubic', antialias=True
  )
  np.testing.assert_allclose(
      resize_picture(image, target), np.clip(theirs, 0, 255), atol=5e-4
  )


def test_mirrored_taps_begin_at_the_other_end(rng):
  maps = rng.random((1, 5, 6, 2), np.float32)
  rows, columns = taps([5], [9], 12), taps([6], [8], 10, mirrored=True)
  found = jax.jit(resample)(maps, rows, columns)[0, :9, :8]
  np.testing.assert_allclose(
      found, resample_on_host(maps[0, :, ::-1], (9, 8)), atol=1e-6
  )
