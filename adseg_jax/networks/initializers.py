"""First kernels, drawn in a form that is fast on CPU, too.

The numbers are those of Linen's initialiser. On CPU, JAX draws random bits by
a loop that passes five times over all of them: for the 103 million weights of
VGG-16's fc6 that is 1.2 GB of temporary memory, and more than twice the time.
Here each number's rounds follow one another in registers.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.extend import random

MANY = 2**20  # numbers; of fewer, the loop costs less to trace and compile
# Threefry-2x32-20: the rotations of one group of four rounds and of the next,
# and the parity of the key schedule (Salmon et al. 2011, table 2, section 3.3).
_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
_PARITY = 0x1BD11BDA
_GROUPS = 5
_THREEFRY = random.threefry_prng_impl
_HE = nn.initializers.he_normal()


def threefry(key, first, second):
  """Two random words for each counter.

  Args:
    key: uint32 [2].
    first: uint32 [...], the counters' first words.
    second: uint32, of the same shape or a scalar.

  Returns:
    Two arrays uint32 [...]: Threefry-2x32 with 20 rounds, as JAX has it
    (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
  """
  keys = key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(_PARITY)
  first, second = first + keys[0], second + keys[1]
  for group in range(_GROUPS):
    for rotation in _ROTATIONS[group % 2]:
      first = first + second
      second = first ^ _rotated(second, rotation)
    first = first + keys[(group + 1) % 3]
    second = second + keys[(group + 2) % 3] + jnp.uint32(group + 1)
  return first, second


def _rotated(words, by: int):
  return (words << jnp.uint32(by)) | (words >> jnp.uint32(32 - by))


def _bits(key, width: int, shape):
  """JAX's random bits; its own code draws what is no word for each counter."""
  size = math.prod(shape)
  counted = jax.config.jax_threefry_partitionable and size < 2**32
  if width != 32 or not counted:
    return _THREEFRY.random_bits(key, width, shape)
  counters = jax.lax.iota(jnp.uint32, size)
  first, second = threefry(key, jnp.uint32(0), counters)
  return (first ^ second).reshape(shape)


_UNROLLED = random.define_prng_impl(
    key_shape=_THREEFRY.key_shape, seed=_THREEFRY.seed, split=_THREEFRY.split,
    random_bits=_bits, fold_in=_THREEFRY.fold_in, name='threefry2x32_unrolled',
)


def he_normal(key, shape, dtype=jnp.float32):
  """A kernel as nn.initializers.he_normal() draws it, to the bit.

  Args:
    key: PRNG key; of another generator than Threefry, it is used as it is.
    shape: (kh, kw, I, O).
    dtype: of the kernel.

  Returns:
    [kh,kw,I,O], normal within two deviations, of variance 2 / (kh kw I)
    (He et al. 2015, section 2.2).
  """
  generator = str(jax.random.key_impl(key))
  if generator == 'threefry2x32' and math.prod(shape) >= MANY:
    data = jax.random.key_data(key)
    key = jax.random.wrap_key_data(data, impl=_UNROLLED)
  return _HE(key, shape, dtype)
