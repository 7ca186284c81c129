"""FCN-32s, -16s, -8s and Dilated-8 on VGG-16."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adseg_jax.config import Experiment, Segmentor
from adseg_jax.method.method import make_method
from adseg_jax.networks import fast
from adseg_jax.networks.layers import resize
from adseg_jax.networks.segmentors import (
    SEGMENTORS,
    Dilated8,
    FCN8s,
    FCN16s,
    FCN32s,
)
from adseg_jax.networks.segmentors.dilated import Context
from adseg_jax.networks.segmentors.vgg import BLOCKS

TINY = 1 / 64
ON_VGG = 'fcn32s', 'fcn16s', 'fcn8s', 'dilated8'


def shapes(module, *image):
  """Shapes of the variables and of the logits; nothing is computed."""
  apply = functools.partial(module.init_with_output, train=False)
  logits, variables = jax.eval_shape(
      apply, jax.random.key(0), jax.ShapeDtypeStruct((1, *image, 3), 'float32')
  )
  return variables, logits.shape


@functools.cache
def start(module, *image):
  return jax.jit(functools.partial(module.init, train=False))(
      jax.random.key(0), jnp.zeros((1, *image, 3))
  )


def pictures(*shape, seed=1):
  return jax.random.uniform(jax.random.key(seed), shape)


def test_the_experiment_gives_the_context():
  experiment = Experiment(
      segmentor=Segmentor('dilated8', width=0.5, context='large')
  )
  assert make_method(experiment, 21).segmentor == Dilated8(21, 0.5, 'large')
  experiment = Experiment(segmentor=Segmentor('fcn8s', width=0.5))
  assert make_method(experiment, 21).segmentor == FCN8s(21, 0.5)


FRONT = 134_346_581
# A skip from pool4 (512 channels) or pool3 (256): a 1x1 convolution to 21.
SKIP4, SKIP3 = 512 * 21 + 21, 256 * 21 + 21


@pytest.mark.parametrize('module,count', [
    (FCN32s(21), FRONT), (FCN16s(21), FRONT + SKIP4),
    (FCN8s(21), FRONT + SKIP4 + SKIP3), (Dilated8(21), FRONT),
    (Dilated8(21, context='basic'), 134_374_973),
    (Dilated8(21, context='large'), 141_149_720),
])
def test_parameters(module, count):
  variables, _ = shapes(module, 64, 64)
  sizes = [leaf.size for leaf in jax.tree.leaves(variables['params'])]
  assert sum(sizes) == count


@pytest.mark.parametrize('name', ON_VGG)
@pytest.mark.parametrize('image,logits', [
    ((320, 480), (40, 60)), ((40, 72), (5, 9)), ((101, 63), (13, 8)),
])
def test_the_output_stride_is_8(name, image, logits):
  module = SEGMENTORS[name](num_classes=5, width=TINY)
  assert module.stride == 8
  assert shapes(module, *image)[1] == (1, *logits, 5)


def test_the_networks_are_built_on_the_same_layers():
  """The same pretrained weights fit all of them."""
  trees = [shapes(SEGMENTORS[name](21), 64, 64)[0]['params'] for name in ON_VGG]
  for tree in trees[1:]:
    for layer in ('vgg', 'fc6', 'fc7', 'score'):
      assert tree[layer] == trees[0][layer]


def test_skips_start_at_zero_and_add_what_a_pool_says():
  module, images = FCN8s(3, TINY), pictures(1, 64, 96, 3)
  variables = start(module, 64, 96)
  apply = jax.jit(functools.partial(
      module.apply, train=False, capture_intermediates=True
  ))
  logits, captured = apply(variables, images)
  seen = captured['intermediates']
  [coarse] = seen['score']['__call__']
  assert coarse.shape == (1, 2, 3, 3)
  # 1/32 to 1/16, then to 1/8.
  np.testing.assert_allclose(
      logits, resize(resize(coarse, (4, 6)), (8, 12)), atol=1e-6
  )
  kernels = {
      f'score_pool{pool}': jax.random.normal(
          jax.random.key(pool),
          variables['params'][f'score_pool{pool}']['kernel'].shape,
      ) for pool in (3, 4)
  }
  params = variables['params'] | {
      name: {'kernel': kernel, 'bias': jnp.full(3, 0.5)}
      for name, kernel in kernels.items()
  }
  [blocks] = seen['vgg']['__call__']
  pool3, pool4 = (
      blocks[pool - 1] @ kernels[f'score_pool{pool}'][0, 0] + 0.5
      for pool in (3, 4)
  )
  np.testing.assert_allclose(
      apply({**variables, 'params': params}, images)[0],
      resize(resize(coarse, (4, 6)) + pool4, (8, 12)) + pool3, atol=1e-5,
  )


def test_fcn16s_has_the_skip_from_pool4_alone():
  params = shapes(FCN16s(3, TINY), 64, 64)[0]['params']
  assert sorted(params) == ['fc6', 'fc7', 'score', 'score_pool4', 'vgg']


def test_dropout_is_on_while_training_alone():
  module = FCN8s(3, TINY)
  variables, images = start(module, 64, 96), pictures(1, 64, 96, 3)
  apply = jax.jit(module.apply, static_argnames='train')
  one, again, other = (
      apply(variables, images, train=True,
            rngs={'dropout': jax.random.key(seed)}) for seed in (1, 1, 2)
  )
  np.testing.assert_array_equal(one, again)
  assert not np.allclose(one, other, atol=1e-4)
  # No key is needed, so nothing is random.
  apply(variables, images, train=False)


def constant(variables, value):
  """All parameters equal: nothing cancels, and pools have ties only."""
  params = jax.tree.map(lambda p: jnp.full_like(p, value), variables['params'])
  return {**variables, 'params': params}


def support(function, x, row, column):
  """First and last row and column that an output's gradient reaches."""
  gradient = jax.jit(jax.grad(lambda x: function(x)[0, row, column].sum()))(x)
  touched = np.asarray(jnp.abs(gradient[0]).sum(-1)) > 0
  rows, columns = touched.any(1).nonzero()[0], touched.any(0).nonzero()[0]
  return rows[0], rows[-1], columns[0], columns[-1]


def field_of_view():
  """(size, offset of its first pixel from that of the output's) by hand."""
  size, step, first = 1, 1, 0
  for block, (count, _) in enumerate(BLOCKS, 1):
    reach = count * (2 if block == 5 else 1) * step
    size, first = size + 2 * reach, first - reach
    if block <= 3:
      size, step = size + step, 2 * step
  reach = 3 * 4 * step  # fc6: 7x7 with dilation 4
  return size + 2 * reach, first - reach


def test_field_of_view_of_the_front_end():
  size, first = field_of_view()
  assert (size, first) == (380, -186)
  module = Dilated8(1, TINY)
  variables = constant(start(module, 64, 64), 0.1)
  images = jnp.ones((1, 400, 392, 3))

  def logits(images):
    return module.apply(variables, images, train=False)

  top, bottom, left, right = support(logits, images, 25, 24)
  assert (top, bottom) == (200 + first, 200 + first + size - 1)
  assert (left, right) == (192 + first, 192 + first + size - 1)


@pytest.mark.parametrize('size', ['basic', 'large'])
def test_field_of_view_of_the_context_module(size, monkeypatch):
  """67x67, of table 1 of the paper."""
  # In tiles, rounding reaches a little further.
  monkeypatch.setattr(fast, 'applies', lambda _: False)
  module = Context(size)
  x = jnp.ones((1, 75, 71, 1))
  variables = constant(jax.jit(module.init)(jax.random.key(0), x), 0.01)
  assert support(
      lambda x: module.apply(variables, x), x, 37, 35
  ) == (37 - 33, 37 + 33, 35 - 33, 35 + 33)


def test_the_basic_context_module_starts_as_the_identity():
  x = pictures(2, 9, 7, 5)
  module = Context('basic')
  variables = jax.jit(module.init)(jax.random.key(0), x)
  apply = jax.jit(module.apply)
  np.testing.assert_array_equal(apply(variables, x), x)
  np.testing.assert_array_equal(apply(variables, x - 1), 0 * x)


def test_the_large_context_module_starts_as_the_identity():
  """To rounding, with noise that tells the maps of a class apart."""
  x = pictures(1, 9, 7, 2)
  module = Context('large')
  variables = jax.jit(module.init)(jax.random.key(0), x)

  @jax.jit
  @functools.partial(jax.grad, has_aux=True)
  def slope(variables):
    y = module.apply(variables, x)
    return (y**2).sum(), y

  gradient, y = slope(variables)
  np.testing.assert_allclose(y, x, atol=1e-5)
  for layer in range(1, 8):
    kernel = gradient['params'][f'conv{layer}']['kernel'][1, 1]
    # No two maps of a class, which are neighbours, learn the same.
    maps = kernel.shape[1] // 2
    apart = np.asarray(jnp.abs(kernel[:, 1:maps] - kernel[:, :1]).max(0))
    assert (apart > 1e-4 * jnp.abs(kernel).max()).all(), layer


def test_dilated_8_with_context_starts_as_the_front_end():
  front, whole = Dilated8(3, TINY), Dilated8(3, TINY, 'basic')
  variables = start(whole, 32, 32)
  params = dict(variables['params'])
  del params['context']
  images = pictures(1, 32, 32, 3)
  logits = jax.jit(functools.partial(front.apply, train=False))(
      {**variables, 'params': params}, images
  )
  assert (logits > 0).any() and (logits < 0).any()
  np.testing.assert_array_equal(
      jax.jit(functools.partial(whole.apply, train=False))(variables, images),
      jnp.maximum(logits, 0),
  )


def test_recomputing_changes_memory_alone():
  plain, again = (
      Dilated8(3, TINY, dropout=0.0, recompute=recompute)
      for recompute in (False, True)
  )
  variables, images = start(plain, 64, 64), pictures(2, 64, 64, 3)
  assert jax.tree.structure(start(again, 64, 64)) == jax.tree.structure(
      variables
  )

  def loss(params, images, module):
    logits = module.apply(variables | {'params': params}, images, train=True)
    return (logits**2).sum()

  gradient = jax.jit(jax.value_and_grad(loss), static_argnums=2)
  params = variables['params']
  jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
      gradient(params, images, plain), gradient(params, images, again),
  )
  many = jax.ShapeDtypeStruct((8, 128, 128, 3), 'float32')
  kept, computed = (
      gradient.lower(params, many, module).compile().memory_analysis()
      for module in (plain, again)
  )
  assert computed.temp_size_in_bytes < 0.9 * kept.temp_size_in_bytes
