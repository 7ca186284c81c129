import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from lite import (
    small_deeplab,
    small_encoder,
    small_fpn,
    small_resnet,
    small_unet,
)
from variables import count, filled, shapes

from adseg_jax.networks.segmentors import ENCODERS, FPN, UNet

# Parameters of whole classifiers: norms have a scale and a bias each, while a
# folded one is a bias (PyTorch, `sum(p.numel() for p in model.parameters())`).
PUBLISHED = {
    'efficientnet_lite0': 4_652_008, 'efficientnet_lite1': 5_416_680,
    'efficientnet_lite2': 6_092_072, 'resnet18': 11_689_512,
    'resnet34': 21_797_672, 'resnet50': 25_557_032, 'resnet101': 44_549_160,
}


@pytest.mark.parametrize('name', ENCODERS)
def test_parameters_of_an_encoder_are_the_published_ones(name):
  params = shapes(FPN(11, encoder=ENCODERS[name]))['params']
  leaves = jax.tree_util.tree_leaves_with_path(params['encoder'])
  biases = sum(x.size for path, x in leaves if path[-1].key == 'bias')
  last = params['pyramid']['lateral4']['conv']['kernel'].shape[2]
  beyond = 1000 * (last + 1)
  if 'lite' in name:  # a further convolution and its norm
    beyond = last * 1280 + 2 * 1280 + 1000 * (1280 + 1)
  assert sum(x.size for _, x in leaves) + biases == PUBLISHED[name] - beyond


def test_parameters_of_the_pyramid():
  """A lateral 1x1 with bias, scale and shift for each map, a smoothing."""
  laterals = sum(c * 128 + 3 * 128 for c in (24, 40, 112, 320))
  smooths = 4 * (9 * 128 + 128 + 128 * 128 + 3 * 128)
  assert count(FPN(11)) == 2_939_120 + laterals + smooths + 11 * 129


def test_parameters_of_the_unet():
  """Two 3x3 with bias, scale and shift at each level; 320 maps below."""
  inputs = ((320 + 112, 256), (256 + 40, 128), (128 + 24, 64))
  levels = sum(9 * i * o + 9 * o * o + 6 * o for i, o in inputs)
  assert count(UNet(11)) == 2_939_120 + levels + 11 * 65


@pytest.mark.parametrize('size', [(64, 96), (61, 37), (4, 9), (1, 1)])
@pytest.mark.parametrize('make', [small_fpn, small_unet])
def test_output_stride(size, make):
  module = make()
  logits, maps = jax.eval_shape(
      lambda v, x: module.apply(
          v, x, train=False, capture_intermediates=lambda m, _: (
              type(m).__name__ == 'EfficientNetLite'
          ), mutable=['intermediates'],
      ), shapes(module), jnp.ones((2, *size, 3)),
  )
  assert logits.shape == (2, -(-size[0] // 4), -(-size[1] // 4), 3)
  [found] = maps['intermediates']['encoder']['__call__']
  whole = [4 * -(-side // 4) for side in size]  # rows and columns repeated
  assert [x.shape[1:3] for x, _ in found] == [
      tuple(-(-side // stride) for side in whole) for stride in (4, 8, 16, 32)
  ]


@pytest.mark.parametrize('make', [small_encoder, small_resnet])
def test_a_cell_lies_at_the_same_pixels_whatever_the_size(rng, make):
  """Far from the border, a picture and its first part have the same maps."""
  encoder = make(width=0.2)
  reach = encoder.reach
  side = 32 * -(-(reach + 80) // 32)
  images = jnp.asarray(rng.random((1, 32, side, 3)), jnp.float32)
  variables = encoder.init(jax.random.key(0), images)
  apply = jax.jit(encoder.apply)
  whole = apply(variables, images)
  for cut in (4, 24):
    for (one, _), (other, _), stride in zip(
        apply(variables, images[:, :, :side - cut]), whole, (4, 8, 16, 32),
        strict=True,
    ):
      alike = max(1, (side - cut - reach) // stride)
      np.testing.assert_allclose(
          one[:, :, :alike], other[:, :, :alike], atol=1e-5
      )


@pytest.mark.parametrize('make', [
    small_fpn, small_unet, functools.partial(small_fpn, encoder=small_resnet),
    small_deeplab,
])
def test_the_plain_forms_on_any_size_give_the_same(rng, make):
  """As an exported program has them: no fast form stands in there."""
  module = make()
  variables = filled(module)
  symbols = export.symbolic_shape('h, w')
  exported = export.export(jax.jit(
      functools.partial(module.apply, train=False)
  ))(
      jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), variables),
      jax.ShapeDtypeStruct((1, *symbols, 3), jnp.float32),
  )
  assert 'convolution' in exported.mlir_module()
  images = jnp.asarray(rng.random((1, 45, 58, 3)), jnp.float32)
  expected = exported.call(variables, images)
  found = jax.jit(functools.partial(module.apply, train=False))(
      variables, images
  )
  assert found.shape == expected.shape and expected.std() > 0.1
  np.testing.assert_allclose(
      found, expected, atol=1e-5 * float(np.abs(expected).max())
  )


def test_random_weights_start_soundly(rng):
  """Deviations neither vanish nor grow through all of the blocks."""
  module = FPN(5, 0.25)
  images = jnp.asarray(rng.random((2, 64, 96, 3)), jnp.float32)

  @jax.jit
  def look(key):
    variables = module.init(key, images, train=False)
    return module.apply(
        variables, images, train=False, mutable=['intermediates'],
        capture_intermediates=lambda m, _: type(m).__name__ == 'Block',
    )

  logits, seen = look(jax.random.key(0))
  blocks = np.array([x.std() for x in jax.tree.leaves(seen)])
  assert len(blocks) == 16 and (blocks > 0.05).all() and (blocks < 2).all()
  assert 0.1 < logits.std() < 3


def test_all_layers_learn_from_the_start(rng):
  """But what lies before the kernels of zeros, which come first."""
  module = small_fpn(width=0.25)
  images = jnp.asarray(rng.random((1, 64, 64, 3)), jnp.float32)
  variables = jax.jit(functools.partial(module.init, train=False))(
      jax.random.key(0), images
  )
  params = variables.pop('params')
  gradient = jax.jit(jax.grad(lambda params: jax.nn.log_softmax(
      module.apply({'params': params, **variables}, images, train=False)
  )[..., 0].mean()))(params)
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
    name = '/'.join(key.key for key in path)
    before_zeros = 'stage2_2' in name and 'project' not in name
    assert (np.abs(leaf).max() > 0) != before_zeros, name
