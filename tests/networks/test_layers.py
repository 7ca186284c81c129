import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain import (
    assert_equal,
    normal,
    plain_conv_layer,
    plain_convolution,
    plain_pool,
)

from adseg_jax.networks import layers


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


@pytest.mark.parametrize('size,sides', [
    (3, (9, 8)), (7, (8, 6)), (3, (1, 2)), (1, (9, 8)),
])
def test_a_centred_stride_is_padded_by_half_the_kernel(size, sides):
  assert_equal(
      lambda x, k: layers.convolve(x, k, stride=2, centred=True),
      lambda x, k: jax.lax.conv_general_dilated(
          x, k, (2, 2), ((size // 2, size // 2),) * 2,
          dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      ), normal(0, 2, *sides, 3), normal(1, size, size, 3, 5),
  )


@pytest.mark.parametrize('size', [(16, 20), (3, 3), (11, 7), (33, 40)])
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


@pytest.mark.parametrize('form', [{'stride': 2}, {'dilation': 2}])
def test_parts_give_what_their_channels_joined_give(form):
  rng = np.random.default_rng(0)
  one = rng.standard_normal((1, 9, 7, 2), np.float32)
  others = tuple(rng.standard_normal((2, 1, 9, 7, 3), np.float32))
  conv = layers.Conv(4, **form)
  wholes = [np.concatenate([one, other], -1) for other in others]
  # A bias that is not zero: it is added once.
  params = {'kernel': normal(1, 3, 3, 5, 4), 'bias': normal(2, 4)}
  variables = {'params': params}
  apply = jax.jit(conv.apply)
  close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
  for found, other, whole in zip(
      apply(variables, one, others), others, wholes, strict=True
  ):
    close(found, apply(variables, whole))
    close(apply(variables, one, other), found)


def test_a_cpu_takes_the_fast_forms_and_nothing_else_does(monkeypatch):
  def forms():
    return [
        'convolution' in jax.jit(
            lambda x, layer=layer: layer.init_with_output(
                jax.random.key(0), x
            )[0]
        ).lower(jnp.zeros((1, 12, 12, 64))).as_text()
        for layer in (
            layers.Conv(64, 1), layers.Conv(64), layers.Conv(1, mean=True)
        )
    ]

  assert forms() == [False] * 3
  with monkeypatch.context() as patch:
    patch.setattr(jax, 'default_backend', lambda: 'gpu')
    assert forms() == [True] * 3
