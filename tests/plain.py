"""Layers as papers draw them, and what it is to equal one."""

import jax
import numpy as np


def plain_convolution(x, kernel, stride=1, dilation=1):
  return jax.lax.conv_general_dilated(
      x, kernel, (stride, stride), 'SAME', rhs_dilation=(dilation, dilation),
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def plain_pool(x):
  return jax.lax.reduce_window(
      x, -np.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), 'VALID'
  )


def plain_conv_layer(x, kernel, bias, pool, mean):
  """Convolution, bias, ReLU, then the pool: the order that papers draw."""
  x = plain_convolution(x, kernel) + bias.reshape(1, 1, 1, -1)
  if mean:
    return x.mean((1, 2))
  x = jax.nn.relu(x)
  return plain_pool(x) if pool else x


def assert_equal(f, g, *arguments, tolerance=1e-5):
  """Values, and gradients of a random projection, agree."""
  weights = normal(9, *jax.eval_shape(g, *arguments).shape)

  @jax.jit
  def both(*arguments):
    results = []
    for h in (f, g):
      value, pull = jax.vjp(h, *arguments)
      results.append((value, *pull(weights)))
    return results

  for ours, theirs in zip(*both(*arguments), strict=True):
    assert ours.shape == theirs.shape
    scale = max(float(np.abs(theirs).max()), 1e-6)
    np.testing.assert_allclose(ours, theirs, atol=tolerance * scale)


def normal(seed, *shape):
  # Not by JAX, which would compile a program for each shape.
  return np.random.default_rng(seed).standard_normal(shape, np.float32)
