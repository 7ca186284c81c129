import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from variables import count, filled, shapes

from adseg_jax.networks.segmentors import FCN32s

# Stanford's VGG-16 by its table: convolutions of each block.
BLOCKS = (2, 2, 3, 3, 3)


def plain(variables, images):
  """Convolution, bias, ReLU, then the pool, in the order that papers draw."""
  def layer(x, parameters, activation=jax.nn.relu):
    x = jax.lax.conv_general_dilated(
        x, parameters['kernel'], (1, 1), 'SAME',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )
    return activation(x + parameters['bias'].reshape(1, 1, 1, -1))

  params = variables['params']
  mean = variables['constants']['vgg']['mean'].reshape(1, 1, 1, 3)
  deviation = np.float32([0.229, 0.224, 0.225]).reshape(1, 1, 1, 3)
  x = (images - mean) / deviation
  for block, layers in enumerate(BLOCKS, 1):
    for i in range(1, layers + 1):
      x = layer(x, params['vgg'][f'conv{block}_{i}'])
    x = jax.lax.reduce_window(
        x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), 'VALID'
    )
  x = layer(layer(x, params['fc6']), params['fc7'])
  x = layer(x, params['score'], lambda y: y)
  b, h, w, c = x.shape
  return jax.image.resize(x, (b, 4 * h, 4 * w, c), 'bilinear')


@functools.cache
def small():
  module = FCN32s(3, 0.02)
  return module, filled(module)


@functools.cache
def predict():
  module, variables = small()
  return jax.jit(lambda images: module.apply(variables, images, train=False))


def test_it_equals_the_plain_form(rng):
  images = jnp.asarray(rng.random((2, 64, 64, 3)), jnp.float32)
  theirs = jax.jit(plain)(small()[1], images)
  ours = predict()(images)
  assert ours.shape == theirs.shape == (2, 8, 8, 3)
  np.testing.assert_allclose(
      ours, theirs, atol=1e-5 * float(np.abs(theirs).max())
  )


def test_other_sizes_are_padded_with_their_edge(rng):
  """The result is that of the padded image, cut to the image."""
  images = rng.random((2, 45, 58, 3)).astype(np.float32)
  padded = np.pad(images, ((0, 0), (0, 19), (0, 6), (0, 0)), 'edge')
  np.testing.assert_allclose(
      predict()(jnp.asarray(images)),
      predict()(jnp.asarray(padded))[:, :6, :8], atol=1e-6,
  )


@pytest.mark.parametrize('size', [(64, 32), (61, 37), (8, 9)])
def test_output_stride(size):
  out = jax.eval_shape(
      lambda v, i: FCN32s(3, 0.02).apply(v, i, train=False),
      shapes(small()[0]), jnp.ones((2, *size, 3)),
  )
  assert out.shape == (2, -(-size[0] // 8), -(-size[1] // 8), 3)


def test_parameter_count():
  assert count(FCN32s(21)) == 134_346_581


def test_dropout_behind_fc6_and_fc7_in_training_only(rng):
  module, variables = small()
  images = jnp.asarray(rng.random((1, 64, 64, 3)), jnp.float32)

  @functools.partial(jax.jit, static_argnums=1)
  def train(key, dropout):
    network = module.clone(dropout=dropout)
    value, seen = network.apply(
        variables, images, train=True, rngs={'dropout': key},
        capture_intermediates=lambda m, _: type(m).__name__ == 'Dropout',
    )
    return value, jax.tree.leaves(seen)

  quiet = predict()(images)
  value, dropped = train(jax.random.key(0), 0.5)
  other, _ = train(jax.random.key(1), 0.5)
  assert np.abs(value - other).max() > 1e-3
  assert np.abs(value - quiet).max() > 1e-3
  assert len(dropped) == 2
  np.testing.assert_allclose(
      train(jax.random.key(0), 0.0)[0], quiet, atol=1e-5
  )
