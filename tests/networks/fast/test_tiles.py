import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain import assert_equal, normal, plain_convolution
from scipy.signal import correlate

from adseg_jax.networks import layers
from adseg_jax.networks.fast import tiles


@pytest.mark.parametrize('size,shape', [
    *((size, (2, 9, 13, 5, 3)) for size in (3, 5, 7, 9)),  # parts of a tile
    (3, (1, 8, 20, 1, 2)), (9, (3, 1, 1, 4, 4)),  # smaller than a tile
    (7, (1, 40, 3, 64, 48)),
])
def test_equals_the_plain_convolution_values_and_gradients(size, shape):
  *batch, i, o = shape
  assert_equal(
      tiles.convolve, plain_convolution,
      normal(0, *batch, i), normal(2, size, size, i, o),
  )


@pytest.mark.parametrize('size,channels', [(3, 2), (3, 256), (7, 256)])
def test_equals_a_sliding_sum_in_double_precision(size, channels):
  x, kernel = normal(0, 1, 30, 21, channels), normal(1, size, size, channels, 1)
  margin = size // 2
  wide = np.pad(x[0].astype(float), ((margin,) * 2, (margin,) * 2, (0, 0)))
  exact = correlate(wide, kernel[..., 0].astype(float), 'valid')
  error = np.abs(jax.jit(tiles.convolve)(x, kernel)[0] - exact).max()
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
