import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate

from adseg_jax.networks import layers
from adseg_jax.networks.fast import tiles


def plain(x, kernel):
  return jax.lax.conv_general_dilated(
      x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )


def normal(seed, *shape):
  return np.random.default_rng(seed).standard_normal(shape, np.float32)


def with_gradients(convolve, x, kernel, weight):
  y, pull = jax.vjp(convolve, x, kernel)
  return y, *pull(weight)


@pytest.mark.parametrize('size', [3, 5, 7, 9])
@pytest.mark.parametrize('shape', [
    (2, 9, 13, 5, 3),  # a part of a tile at the edges
    (1, 8, 20, 1, 2),
    (3, 1, 1, 4, 4),  # smaller than a tile
    (1, 40, 3, 64, 48),
])
def test_equals_the_plain_convolution_values_and_gradients(size, shape):
  *batch, i, o = shape
  x, weight = normal(0, *batch, i), normal(1, *batch, o)
  kernel = normal(2, size, size, i, o)
  ours, theirs = (
      with_gradients(convolve, x, kernel, weight)
      for convolve in (tiles.convolve, plain)
  )
  for one, other in zip(ours, theirs, strict=True):
    scale = np.abs(other).max()
    np.testing.assert_allclose(one, other, atol=1e-5 * scale)


@pytest.mark.parametrize('channels', [2, 256])
@pytest.mark.parametrize('size', [3, 7])
def test_equals_a_sliding_sum_in_double_precision(size, channels):
  x, kernel = normal(0, 1, 30, 21, channels), normal(1, size, size, channels, 1)
  margin = size // 2
  wide = np.pad(x[0].astype(float), ((margin,) * 2, (margin,) * 2, (0, 0)))
  exact = correlate(wide, kernel[..., 0].astype(float), 'valid')
  error = np.abs(tiles.convolve(x, kernel)[0] - exact).max()
  assert error < 5e-6 * np.abs(exact).max()


def uses_tiles(shape, size, dtype=jnp.float32):
  x = jnp.zeros(shape, dtype)
  kernel = jnp.zeros((size, size, shape[-1], 64), dtype)
  program = jax.jit(lambda *args: layers.convolve(*args)).lower(x, kernel)
  return 'convolution' not in program.as_text()


@pytest.mark.parametrize(('shape', 'size', 'expected'), [
    ((1, 45, 60, 64), 7, True), ((1, 45, 60, 64), 3, True),
    ((1, 45, 60, 64), 5, False),
    ((1, 45, 60, 16), 7, False),  # few channels
    ((1, 45, 60, 32), 3, False),  # 32 to 64 channels
    ((2, 7, 7, 512), 7, False), ((2, 7, 7, 512), 3, False),  # few tiles
])
def test_tiles_are_cut_where_they_pay(shape, size, expected):
  assert uses_tiles(shape, size) == expected


def test_other_devices_and_precisions_take_the_plain_form(monkeypatch):
  assert not uses_tiles((1, 45, 60, 64), 7, jnp.bfloat16)
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  assert not uses_tiles((1, 45, 60, 64), 7)
