"""FCN-32s, -16s, -8s and Dilated-8 on VGG-16."""

import functools

import jax
import numpy as np
import pytest
from variables import filled

from adseg_jax.config import Experiment, Segmentor
from adseg_jax.evaluation.resampling import resample_on_host
from adseg_jax.method.method import make_method
from adseg_jax.networks import fast
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


def start(module, *inputs, part=(), **options):
  """What a part of the parameters starts with."""
  def find(key):
    variables = module.init(key, *inputs, **options)
    return {name: variables['params'][name] for name in part}

  return jax.jit(find)(jax.random.key(0))


def pictures(*shape):
  return np.random.default_rng(1).random(shape, np.float32)


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


@pytest.mark.parametrize('name,image,logits', [
    *((name, (101, 63), (13, 8)) for name in ON_VGG),
    ('fcn8s', (320, 480), (40, 60)), ('dilated8', (40, 72), (5, 9)),
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
  names = 'score_pool3', 'score_pool4'
  zeros = jax.tree.map(
      np.asarray, start(module, images, part=names, train=False)
  )
  assert not any(np.any(leaf) for leaf in jax.tree.leaves(zeros))
  variables = filled(module)
  random = jax.tree.map(
      np.asarray, {name: variables['params'][name] for name in names}
  )
  apply = jax.jit(functools.partial(
      module.apply, train=False, capture_intermediates=True
  ))
  for skips in zeros, random:
    params = variables['params'] | skips
    logits, captured = jax.tree.map(
        np.asarray, apply({**variables, 'params': params}, images)
    )
    seen = captured['intermediates']
    [coarse], [blocks] = (seen[x]['__call__'] for x in ('score', 'vgg'))
    assert coarse.shape == (1, 2, 3, 3)
    pool3, pool4 = (
        blocks[pool - 1][0] @ skip['kernel'][0, 0] + skip['bias']
        for pool, skip in zip((3, 4), skips.values(), strict=True)
    )
    # 1/32 to 1/16, then to 1/8.
    finer = resample_on_host(coarse[0], (4, 6)) + pool4
    expected = resample_on_host(finer, (8, 12)) + pool3
    np.testing.assert_allclose(
        logits[0], expected, atol=1e-6 * max(1, np.abs(expected).max())
    )


def test_fcn16s_has_the_skip_from_pool4_alone():
  params = shapes(FCN16s(3, TINY), 64, 64)[0]['params']
  assert sorted(params) == ['fc6', 'fc7', 'score', 'score_pool4', 'vgg']


@pytest.mark.parametrize('module', [FCN8s(3, TINY), Dilated8(3, TINY)])
@pytest.mark.parametrize('train', [True, False])
def test_dropout_is_on_while_training_alone(module, train):
  program = jax.make_jaxpr(lambda variables, key: module.apply(
      variables, pictures(1, 32, 32, 3), train=train, rngs={'dropout': key}
  ))(shapes(module, 32, 32)[0], jax.random.key(0))
  assert ('random_bits' in str(program)) == train


def constant(shapes, value):
  """All parameters equal: nothing cancels, and pools have ties only."""
  return jax.tree.map(
      lambda leaf: np.full(leaf.shape, value, leaf.dtype), shapes
  )


def support(function, x, row, column):
  """First and last row and column that an output's gradient reaches."""
  gradient = jax.jit(jax.grad(lambda x: function(x)[0, row, column].sum()))(x)
  touched = np.abs(gradient[0]).sum(-1) > 0
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
  variables = constant(shapes(module, 64, 64)[0], 0.1)
  images = np.ones((1, 400, 392, 3), np.float32)

  def logits(images):
    return module.apply(variables, images, train=False)

  top, bottom, left, right = support(logits, images, 25, 24)
  assert (top, bottom) == (200 + first, 200 + first + size - 1)
  assert (left, right) == (192 + first, 192 + first + size - 1)


def test_field_of_view_of_the_context_module(monkeypatch):
  """67x67, of table 1 of the paper; the large one differs in channels alone."""
  # In tiles, rounding reaches a little further.
  monkeypatch.setattr(fast, 'applies', lambda _: False)
  module = Context('basic')
  x = np.ones((1, 75, 71, 1), np.float32)
  variables = constant(
      jax.eval_shape(module.init, jax.random.key(0), x), 0.01
  )
  assert support(
      lambda x: module.apply(variables, x), x, 37, 35
  ) == (37 - 33, 37 + 33, 35 - 33, 35 + 33)


LAYERS = tuple(f'conv{number}' for number in range(1, 9))


def test_dilated_8_with_a_basic_context_starts_as_without():
  module, images = Dilated8(3, TINY, 'basic'), pictures(1, 32, 32, 3)
  variables = filled(module)
  context = start(Context('basic'), pictures(1, 4, 4, 3), part=LAYERS)
  params = variables['params'] | {'context': context}
  logits, seen = jax.jit(functools.partial(
      module.apply, train=False, capture_intermediates=(
          lambda found, _: found.name == 'score'
      ),
  ))({**variables, 'params': params}, images)
  [before] = seen['intermediates']['score']['__call__']
  assert (before > 0).any() and (before < 0).any()
  np.testing.assert_array_equal(logits, np.maximum(before, 0))


def test_the_large_context_module_starts_as_the_identity():
  """To rounding, with noise that tells the maps of a class apart."""
  x = pictures(1, 9, 7, 2)
  module = Context('large')
  params = start(module, x, part=LAYERS)

  @jax.jit
  @functools.partial(jax.grad, has_aux=True)
  def slope(params):
    y = module.apply({'params': params}, x)
    return (y**2).sum(), y

  gradient, y = slope(params)
  np.testing.assert_allclose(y, x, atol=1e-5)
  for layer in range(1, 8):
    kernel = np.asarray(gradient[f'conv{layer}']['kernel'][1, 1])
    # No two maps of a class, which are neighbours, learn the same.
    maps = kernel.shape[1] // 2
    apart = np.abs(kernel[:, 1:maps] - kernel[:, :1]).max(0)
    assert (apart > 1e-4 * np.abs(kernel).max()).all(), layer


def test_recomputing_changes_memory_alone():
  plain, again = (
      Dilated8(3, TINY, dropout=0.0, recompute=recompute)
      for recompute in (False, True)
  )
  assert shapes(plain, 64, 64) == shapes(again, 64, 64)
  variables, images = filled(plain), pictures(8, 128, 128, 3)

  def loss(params, images, module):
    logits = module.apply(variables | {'params': params}, images, train=True)
    return (logits**2).mean()

  gradient = jax.jit(jax.value_and_grad(loss), static_argnums=2)
  memory, found = [], []
  for module in plain, again:
    program = gradient.lower(variables['params'], images, module).compile()
    found.append(program(variables['params'], images))
    memory.append(program.memory_analysis().temp_size_in_bytes)
  jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
      *found,
  )
  assert memory[1] < 0.9 * memory[0]
