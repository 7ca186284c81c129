import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from lite import small_deeplab, small_fpn, small_resnet, small_unet
from variables import count, filled, shapes

from adseg_jax.networks.segmentors import FPN, UNet


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


@pytest.mark.parametrize('make,size', [
    (small_fpn, (61, 37)), (small_fpn, (1, 1)), (small_unet, (4, 9)),
])
def test_output_stride(make, size):
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


@pytest.mark.parametrize('make', [
    functools.partial(small_fpn, encoder=small_resnet), small_unet,
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
  """Deviations neither vanish nor grow, and all layers learn.

  But what lies before the kernels of zeros, which come first: a block that
  has them passes its input on, so that stages alone change a deviation.
  """
  module = small_fpn(width=0.25)
  images = rng.random((1, 64, 64, 3), np.float32)
  variables = jax.jit(functools.partial(module.init, train=False))(
      jax.random.key(0), images
  )
  params = variables.pop('params')

  @jax.jit
  @functools.partial(jax.grad, has_aux=True)
  def look(params):
    logits, seen = module.apply(
        {'params': params, **variables}, images, train=False,
        mutable=['intermediates'],
        capture_intermediates=lambda m, _: type(m).__name__ == 'Block',
    )
    return jax.nn.log_softmax(logits)[..., 0].mean(), (logits, seen)

  gradient, (logits, seen) = look(params)
  blocks = np.array([np.std(x) for x in jax.tree.leaves(seen)])
  assert len(blocks) == 7 and (blocks > 0.05).all() and (blocks < 2).all()
  assert 0.1 < np.std(logits) < 3
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
    name = '/'.join(key.key for key in path)
    before_zeros = 'stage2_2' in name and 'project' not in name
    assert (np.abs(leaf).max() > 0) != before_zeros, name
