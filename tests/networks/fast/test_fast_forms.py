import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain import assert_equal, normal, plain_convolution, plain_pool

from adseg_jax.networks import layers
from adseg_jax.networks.fast import products


@pytest.mark.parametrize('size', [3, 5, 7])
@pytest.mark.parametrize('sides', [(8, 10), (9, 13), (2, 3)])
def test_convolve_and_pool(size, sides):
  assert_equal(
      products.pooled,
      lambda x, k: plain_pool(plain_convolution(x, k)),
      normal(0, 2, *sides, 3), normal(1, size, size, 3, 4),
  )


@pytest.mark.parametrize('sides', [(5, 6), (1, 4), (2, 1), (1, 1)])
def test_mean_of_convolution(sides):
  assert_equal(
      products.mean,
      lambda x, k: plain_convolution(x, k).mean((1, 2)),
      normal(0, 2, *sides, 3), normal(1, 3, 3, 3, 4),
  )


def test_space_to_depth_order():
  x = jnp.arange(16.0).reshape(1, 4, 4, 1)
  np.testing.assert_array_equal(
      products.space_to_depth(x)[0, 0, 1], [2, 3, 6, 7]
  )


@pytest.mark.parametrize('stride', [1, 2, 3])
@pytest.mark.parametrize('size', [3, 4, 7])
def test_a_small_map_is_one_matrix_product(size, stride):
  rng = np.random.default_rng(0)
  # More images than the four that the form is chosen for, whatever their count.
  x = rng.standard_normal((5, 5, 3, 4), np.float32)
  kernel = rng.standard_normal((size, size, 4, 64), np.float32)
  ours, plain = (
      jax.jit(functools.partial(function, stride=stride))
      for function in (layers.convolve, plain_convolution)
  )
  assert 'convolution' not in ours.lower(x, kernel).as_text()
  weight = rng.standard_normal(plain(x, kernel).shape, np.float32)
  for one, other in zip(*(
      (y, *pull(weight)) for y, pull in (
          jax.vjp(convolve, x, kernel) for convolve in (ours, plain)
      )
  ), strict=True):
    np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(other).max())
