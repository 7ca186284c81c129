import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adseg_jax.networks import layers


def plain_convolution(x, kernel, stride=1, dilation=1):
  return jax.lax.conv_general_dilated(
      x, kernel, (stride, stride), 'SAME', rhs_dilation=(dilation, dilation),
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def plain_pool(x):
  return jax.lax.reduce_window(
      x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), 'VALID'
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
  shape = jax.eval_shape(g, *arguments).shape
  weights = jax.random.normal(jax.random.key(9), shape)

  @jax.jit
  def both(*arguments):
    results = []
    for h in (f, g):
      value, pull = jax.vjp(h, *arguments)
      results.append((value, *pull(weights)))
    return results

  for ours, theirs in zip(*both(*arguments), strict=True):
    assert ours.shape == theirs.shape
    scale = max(float(jnp.abs(theirs).max()), 1e-6)
    np.testing.assert_allclose(ours, theirs, atol=tolerance * scale)


def normal(seed, *shape):
  return jax.random.normal(jax.random.key(seed), shape)


@pytest.mark.parametrize('shape', [(2, 8, 6, 3), (1, 9, 7, 2), (2, 2, 3, 1)])
def test_max_pool(shape):
  assert_equal(layers.max_pool, plain_pool, normal(0, *shape))


def test_max_pool_keeps_a_side_of_one_pixel():
  assert layers.max_pool(jnp.ones((1, 1, 5, 2))).shape == (1, 1, 2, 2)


@pytest.mark.parametrize('size,stride,dilation', [
    (1, 1, 1), (3, 1, 1), (3, 1, 4), (4, 2, 1), (1, 2, 1),
])
def test_convolve(size, stride, dilation):
  assert_equal(
      lambda x, k: layers.convolve(x, k, stride=stride, dilation=dilation),
      lambda x, k: plain_convolution(x, k, stride, dilation),
      normal(0, 2, 9, 8, 3), normal(1, size, size, 3, 5),
  )


@pytest.mark.parametrize('size', [3, 5, 7])
@pytest.mark.parametrize('sides', [(8, 10), (9, 13), (2, 3)])
def test_convolve_and_pool(size, sides):
  assert_equal(
      layers.convolve_and_pool,
      lambda x, k: plain_pool(plain_convolution(x, k)),
      normal(0, 2, *sides, 3), normal(1, size, size, 3, 4),
  )


@pytest.mark.parametrize('sides', [(5, 6), (1, 4), (2, 1), (1, 1)])
def test_mean_of_convolution(sides):
  assert_equal(
      layers.mean_of_convolution,
      lambda x, k: plain_convolution(x, k).mean((1, 2)),
      normal(0, 2, *sides, 3), normal(1, 3, 3, 3, 4),
  )


@pytest.mark.parametrize('size', [(16, 20), (3, 3), (11, 7), (8, 5), (33, 40)])
def test_resize(size):
  assert_equal(
      lambda x: layers.resize(x, size),
      lambda x: jax.image.resize(
          x, (*x.shape[:1], *size, x.shape[-1]), 'bilinear', antialias=False
      ),
      normal(0, 2, 8, 10, 3),
  )


@pytest.mark.parametrize('pool,mean,inputs', [
    (True, False, 3), (True, False, 8), (False, False, 8), (False, True, 8),
])
def test_conv_layer_equals_the_order_that_papers_draw(pool, mean, inputs):
  module = layers.Conv(
      6, 3, pool=pool, mean=mean, activation=None if mean else jax.nn.relu
  )
  x = normal(0, 2, 9, 12, inputs)
  kernel, bias = normal(1, 3, 3, inputs, 6), normal(2, 6)
  assert_equal(
      lambda x, k, b: module.apply({'params': {'kernel': k, 'bias': b}}, x),
      lambda x, k, b: plain_conv_layer(x, k, b, pool, mean), x, kernel, bias,
  )


def test_space_to_depth_order():
  x = jnp.arange(16.0).reshape(1, 4, 4, 1)
  np.testing.assert_array_equal(
      layers.space_to_depth(x)[0, 0, 1], [2, 3, 6, 7]
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


@pytest.mark.parametrize('form', [{'stride': 2}, {'dilation': 2}])
def test_parts_give_what_their_channels_joined_give(form):
  rng = np.random.default_rng(0)
  one = rng.standard_normal((1, 9, 7, 2), np.float32)
  others = tuple(rng.standard_normal((2, 1, 9, 7, 3), np.float32))
  conv = layers.Conv(4, **form)
  wholes = [np.concatenate([one, other], -1) for other in others]
  variables = conv.init(jax.random.key(0), wholes[0])
  close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
  for found, other, whole in zip(
      conv.apply(variables, one, others), others, wholes, strict=True
  ):
    close(found, conv.apply(variables, whole))
    close(conv.apply(variables, one, other), found)
