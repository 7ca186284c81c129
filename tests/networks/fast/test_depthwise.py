import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain import assert_equal, normal

from adseg_jax.networks import layers
from adseg_jax.networks.fast import depthwise

# Kernel, stride and dilation of EfficientNet-Lite and of what is built on it.
FORMS = [
    (3, 1, 1), (3, 2, 1), (5, 1, 1), (5, 2, 1), (5, 1, 2), (3, 1, 6), (3, 3, 1)
]
SIDES = (8, 12), (9, 7), (1, 2)


def grouped(x, kernel, stride, dilation, before):
  after = (len(kernel) - 1) * dilation - before
  return jax.lax.conv_general_dilated(
      x, kernel, (stride, stride), ((before, after),) * 2,
      rhs_dilation=(dilation, dilation), feature_group_count=x.shape[-1],
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


@pytest.mark.parametrize('size,stride,dilation,sides', [
    (*form, sides) for form in FORMS for sides in SIDES
    # Odd sides of all; others where a stride or a dilation meets them.
    if sides == SIDES[1] or form in ((3, 2, 1), (5, 1, 2))
])
def test_values_and_gradients_are_those_of_the_grouped_convolution(
    size, stride, dilation, sides
):
  before = ((size - 1) * dilation + 1 - stride) // 2
  options = {'stride': stride, 'dilation': dilation, 'before': before}
  assert_equal(
      functools.partial(depthwise.convolve, **options),
      functools.partial(grouped, **options),
      normal(0, 2, *sides, 6), normal(1, size, size, 1, 6), tolerance=5e-6,
  )


@pytest.mark.parametrize('size,stride', [(3, 2), (5, 2)])
def test_where_the_stride_divides_the_sides_it_is_same_convolution(
    size, stride
):
  x, kernel = normal(0, 1, 8, 12, 4), normal(1, size, size, 1, 4)
  same = jax.lax.conv_general_dilated(
      x, kernel, (stride, stride), 'SAME', feature_group_count=4,
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )
  convolve = jax.jit(
      functools.partial(layers.convolve_depthwise, stride=stride)
  )
  found = convolve(x, kernel)
  np.testing.assert_allclose(found, same, atol=1e-5)
  # Elsewhere the outputs stay where they were: a row less changes the last.
  less = convolve(x[:, :-1], kernel)
  assert less.shape == found.shape
  np.testing.assert_allclose(less[:, :2], found[:, :2], atol=1e-5)


def test_over_seeds():
  """As a map over several networks has it."""
  x, kernels = normal(0, 2, 1, 6, 5, 3), normal(1, 2, 3, 3, 1, 3)

  def loss(x, kernel):
    return (layers.convolve_depthwise(x, kernel, stride=2) ** 2).sum()

  gradient = jax.jit(jax.grad(loss, 1))
  together = jax.jit(jax.vmap(jax.grad(loss, 1)))(x, kernels)
  for i, one in enumerate(together):
    np.testing.assert_allclose(
        one, gradient(x[i], kernels[i]), rtol=1e-5, atol=1e-5
    )


def test_a_cpu_takes_it_and_nothing_else_does(monkeypatch):
  def has_convolution(dtype=jnp.float32, dilation=1):
    return 'convolution' in jax.jit(
        lambda x, k: layers.convolve_depthwise(
            x, k, stride=2, dilation=dilation
        )
    ).lower(
        jnp.zeros((1, 8, 8, 4), dtype), jnp.zeros((3, 3, 1, 4), dtype)
    ).as_text()

  assert not has_convolution()
  assert has_convolution(jnp.bfloat16) and has_convolution(dilation=2)
  with monkeypatch.context() as patch:
    patch.setattr(jax, 'default_backend', lambda: 'gpu')
    assert has_convolution()
