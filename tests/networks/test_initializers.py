"""First kernels: Linen's numbers, without the memory."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry2x32_p

from adseg_jax.networks import initializers
from adseg_jax.networks.layers import Conv

LARGE = 3, 3, 341, 353
SMALL = 3, 3, 5, 7
LINEN = nn.initializers.he_normal()


def test_sizes_are_on_both_sides():
  assert math.prod(SMALL) < initializers.MANY < math.prod(LARGE)


def test_words_of_any_counter_are_those_of_jax(rng):
  key, first, second = (
      rng.integers(0, 2**32, shape, np.uint32) for shape in (2, 1000, 1000)
  )
  mine = initializers.threefry(key, first, second)
  theirs = threefry2x32_p.bind(*map(jnp.asarray, (*key, first, second)))
  np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize('word, known', [
    (0, (0x6B200159, 0x99BA4EFE)), (2**32 - 1, (0x1CB996FC, 0xBB002BE7)),
])
def test_words_of_random123(word, known):
  # Its known answers for threefry2x32 with 20 rounds (kat_vectors).
  key = np.full(2, word, np.uint32)
  found = initializers.threefry(key, *map(jnp.asarray, key))
  assert tuple(map(int, found)) == known


def same(make_key, shape=LARGE):
  mine, theirs = (
      jax.jit(draw, static_argnums=1)(make_key(), shape)
      for draw in (initializers.he_normal, LINEN)
  )
  np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize('shape', [SMALL, LARGE])
@pytest.mark.parametrize('make', [jax.random.key, jax.random.PRNGKey])
def test_kernels_are_those_of_linen(make, shape):
  same(lambda: make(3), shape)


def test_kernels_of_another_generator_are_its_own():
  same(lambda: jax.random.key(3, impl='rbg'))


def test_kernels_where_words_depend_on_the_shape():
  with jax.threefry_partitionable(False):
    same(lambda: jax.random.key(3))


def test_a_layer_draws_a_large_kernel_without_temporary_memory():
  layer = Conv(LARGE[-1])
  begin = jax.jit(layer.init).lower(
      jax.random.key(0), jnp.zeros((1, 4, 4, LARGE[-2]))
  ).compile()
  kernel = 4 * math.prod(LARGE)
  memory = begin.memory_analysis()
  assert kernel < memory.output_size_in_bytes
  assert memory.temp_size_in_bytes < kernel / 10
