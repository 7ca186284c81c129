import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain import assert_equal, normal, plain_convolution, plain_pool

from adseg_jax.networks import layers
from adseg_jax.networks.fast import products


@pytest.mark.parametrize('size,sides', [
    (3, (9, 13)), (5, (9, 13)), (7, (9, 13)), (3, (8, 10)), (7, (2, 3)),
])
def test_convolve_and_pool(size, sides):
  assert_equal(
      products.pooled,
      lambda x, k: plain_pool(plain_convolution(x, k)),
      normal(0, 2, *sides, 3), normal(1, size, size, 3, 4),
  )


@pytest.mark.parametrize('sides', [(5, 6), (1, 4), (2, 1)])
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


@pytest.mark.parametrize('size,stride', [
    (3, 1), (3, 3), (4, 2), (7, 1), (7, 2),
])
def test_a_small_map_is_one_matrix_product(size, stride):
  # More images than the four that the form is chosen for, whatever their count.
  x, kernel = normal(0, 5, 5, 3, 4), normal(1, size, size, 4, 64)
  ours, plain = (
      functools.partial(function, stride=stride)
      for function in (layers.convolve, plain_convolution)
  )
  assert 'convolution' not in jax.jit(ours).lower(x, kernel).as_text()
  assert_equal(ours, plain, x, kernel)
