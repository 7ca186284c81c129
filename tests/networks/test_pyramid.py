import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from adseg_jax.networks import pyramid
from adseg_jax.networks.layers import resize

normalize = jax.jit(pyramid.local_normalize)
gaussian = jax.jit(pyramid.gaussian_pyramid)


@pytest.mark.parametrize('taps', [(0.2, 0.5, 0.3), pyramid.BINOMIAL])
@pytest.mark.parametrize('stride', [1, 2])
def test_blur_by_loop(rng, taps, stride):
  x = rng.random((1, 7, 4, 2)).astype(np.float32)

  def axis(x):
    out = []
    for i in range(0, len(x), stride):
      inside = [
          (tap, x[j]) for k, tap in enumerate(taps)
          if 0 <= (j := i + k - (len(taps) - 1) // 2) < len(x)
      ]
      total = sum(tap for tap, _ in inside)
      out.append(sum(tap * value for tap, value in inside) / total)
    return np.stack(out)

  expected = np.moveaxis(axis(np.moveaxis(x, 1, 0)), 0, 1)
  expected = np.moveaxis(axis(np.moveaxis(expected, 2, 0)), 0, 2)
  np.testing.assert_allclose(
      pyramid.blur(jnp.asarray(x), taps, stride), expected, rtol=1e-5
  )


def test_levels_are_aligned_with_half_pixel_centres():
  """A ramp stays the same ramp: coarse pixel i lies at fine 2i + 1/2."""
  ramp = jnp.broadcast_to(jnp.arange(32.0).reshape(1, 1, 32, 1), (1, 8, 32, 1))
  _, coarse, coarser = gaussian(ramp)
  assert coarse.shape == (1, 4, 16, 1)
  np.testing.assert_allclose(
      coarse[0, 0, 1:-1, 0], 2 * np.arange(1, 15) + 0.5, rtol=1e-6
  )
  np.testing.assert_allclose(
      coarser[0, 0, 2:-2, 0], 4 * np.arange(2, 6) + 1.5, rtol=1e-6
  )


@pytest.mark.parametrize('size', [(16, 24), (13, 7)])
def test_laplacian_pyramid_adds_up_to_the_image(rng, size):
  image = jnp.asarray(rng.random((1, *size, 3)), jnp.float32)

  @jax.jit
  def rebuilt(image):
    *bands, rest = pyramid.laplacian_pyramid(image, 3)
    for band in reversed(bands):
      rest = band + resize(rest, band.shape[1:3])
    return rest

  np.testing.assert_allclose(rebuilt(image), image, atol=1e-6)


def test_bands_are_what_the_next_level_lacks(rng):
  """Burt and Adelson: each band is a level less the next one, upsampled."""
  image = jnp.asarray(rng.random((1, 16, 12, 1)), jnp.float32)
  fine, coarse, _ = gaussian(image)
  band, _, rest = jax.jit(pyramid.laplacian_pyramid)(image)
  up = jax.image.resize(coarse, fine.shape, 'bilinear', antialias=False)
  np.testing.assert_allclose(band, fine - up, atol=1e-6)
  np.testing.assert_allclose(rest, gaussian(image)[2], atol=1e-6)


@pytest.mark.parametrize('size', [(16, 24), (13, 7), (1, 1), (2, 5)])
def test_levels_halve_and_keep_a_constant(size):
  """Nothing darkens at the edges."""
  levels = gaussian(jnp.full((2, *size, 3), 0.3))
  for level in levels:
    assert level.shape == (2, *size, 3)
    np.testing.assert_allclose(level, 0.3, rtol=1e-5)
    size = tuple(-(-side // 2) for side in size)


def test_local_normalization_equals_scipy(rng):
  image = rng.random((1, 40, 50, 1)).astype(np.float32)
  plane = image[0, :, :, 0].astype(np.float64)
  side, half = pyramid.WINDOW, pyramid.WINDOW // 2
  centred = plane - ndimage.uniform_filter(plane, side)
  expected = centred / np.sqrt(ndimage.uniform_filter(centred**2, side))
  value = normalize(jnp.asarray(image))[0, :, :, 0]
  # Twice the reach from the border, nothing outside the image takes part.
  inner = slice(2 * half, -2 * half)
  np.testing.assert_allclose(
      value[inner, inner], expected[inner, inner], rtol=1e-3, atol=1e-4
  )


def test_a_flat_image_is_zero():
  for grey in (0.0, 0.7, 1.0):
    value = normalize(jnp.full((1, 20, 20, 3), grey))
    np.testing.assert_allclose(value, 0, atol=1e-4)


def test_noise_of_a_flat_image_is_not_amplified_to_full_contrast(rng):
  image = 0.5 + 1e-4 * rng.standard_normal((1, 20, 20, 3))
  assert np.abs(normalize(jnp.asarray(image, jnp.float32))).max() < 0.1


def test_mean_zero_and_deviation_one_of_a_texture():
  """Of a period that divides the window, so that each window is alike."""
  row = np.tile(np.float32([0.1, 0.5, 0.9]), 24)
  image = np.tile(row, (72, 1))[None, ..., None]
  value = np.asarray(normalize(jnp.asarray(image)))[0, 15:-15, 15:-15, 0]
  np.testing.assert_allclose(value.mean(), 0, atol=1e-5)
  np.testing.assert_allclose(value.std(), 1, atol=1e-5)


def test_brightness_and_contrast_are_removed(rng):
  image = jnp.asarray(rng.random((1, 30, 30, 3)), jnp.float32)
  np.testing.assert_allclose(
      normalize(image), normalize(0.5 * image + 0.3), atol=1e-3
  )


def test_standardized_range():
  value = pyramid.standardize(jnp.array([0.0, 1.0]))
  assert -2.5 < value[0] < -1 and 1 < value[1] < 2.5
