import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lite import (
  STAGES,
  small_deeplab,
  small_encoder,
  small_fpn,
  small_resnet,
  small_unet,
)
from variables import count, filled, shapes

from adseg_jax.config import Segmentor
from adseg_jax.errors import UserError
from adseg_jax.method.method import make_segmentor
from adseg_jax.networks.segmentors import ENCODERS, DeepLabV3Plus
from adseg_jax.networks.segmentors.deeplab import rates
from adseg_jax.networks.segmentors.efficientnet_lite import EfficientNetLite
from adseg_jax.networks.segmentors.resnet import ResNet, stages
from adseg_jax.networks.segmentors.stages import steps

STRIDES = 4, 8, 16, 32


def test_parameters_are_those_of_the_paper():
  """256 of each rate, 48 of the skip; each 1x1 has bias, scale and shift."""
  def separable(inputs):
    return 10 * inputs + 256 * inputs + 3 * 256

  pooling = 320 * 256 + 3 * 256 + 3 * separable(320) + 4 * 256**2 + 3 * 256
  decoder = 24 * 48 + 3 * 48 + separable(256 + 48) + separable(256)
  wanted = 2_939_120 + pooling + decoder + 11 * 257
  for stride in (8, 16):  # what was trained at one may be used at the other
    assert count(DeepLabV3Plus(11, output_stride=stride)) == wanted


def test_rates_see_as_far_at_both_strides():
  assert rates(16) == (6, 12, 18) and rates(8) == (12, 24, 36)


def test_steps_by_hand():
  found = [*steps((1, 2, 1, 2, 1, 2, 1), 4, 8)]
  assert found == [
      (1, 1, 1), (2, 1, 1), (1, 1, 1), (1, 1, 2), (1, 2, 2), (1, 2, 4),
      (1, 4, 4),
  ]


@pytest.mark.parametrize('most', [8, 16])
@pytest.mark.parametrize('make', [small_encoder, small_resnet])
def test_dilated_stages_are_the_strided_ones_at_more_places(rng, make, most):
  """Lite's strided kernels lie about the last pixel of a cell, ResNet's first.

  So a pretrained encoder's maps stay what they are.
  """
  variables = {
      name: part['encoder']
      for name, part in filled(small_fpn(width=0.2, encoder=make)).items()
  }
  images = jnp.asarray(rng.random((1, 64, 96, 3)), jnp.float32)
  strided, dilated = (
      jax.jit(make(width=0.2, output_stride=stride).apply)(variables, images)
      for stride in (32, most)
  )
  for (wanted, _), (found, _), stride in zip(
      strided, dilated, STRIDES, strict=True
  ):
    every = max(1, stride // most)
    first = every - 1 if make is small_encoder else 0
    np.testing.assert_allclose(
        found[:, first::every, first::every], wanted,
        atol=1e-5 * float(np.abs(wanted).max()),
    )
    assert found.shape[1] == 64 // min(stride, most)


@pytest.mark.parametrize('make', [small_encoder, small_resnet])
@pytest.mark.parametrize('size', [(61, 37), (4, 9), (1, 1)])
def test_odd_sizes(make, size):
  module = small_deeplab(encoder=make, output_stride=8)
  logits = jax.eval_shape(
      functools.partial(module.apply, train=False), shapes(module),
      jnp.ones((2, *size, 3)),
  )
  assert logits.shape == (2, -(-size[0] // 4), -(-size[1] // 4), 3)


@pytest.mark.parametrize('encoder', [
    EfficientNetLite(STAGES[:3]), ResNet(stages((2, 1), False), 0.5),
], ids=lambda encoder: type(encoder).__name__)
def test_recomputing_changes_memory_alone(rng, encoder):
  images = jnp.asarray(rng.random((2, 64, 64, 3)), jnp.float32)
  variables = jax.tree.map(
      lambda leaf: leaf + rng.normal(0, 0.1, leaf.shape).astype(leaf.dtype),
      jax.jit(encoder.init)(jax.random.key(0), images),
  )

  def loss(params, encoder):
    maps = encoder.apply(variables | {'params': params}, images)
    return (maps[-1][0]**2).sum()

  gradient = jax.jit(jax.value_and_grad(loss), static_argnums=1)
  memory, found = [], []
  for one in (encoder, encoder.clone(recompute=True)):
    program = gradient.lower(variables['params'], one).compile()
    found.append(program(variables['params']))
    memory.append(program.memory_analysis().temp_size_in_bytes)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(
      a, b, rtol=1e-4, atol=1e-5 * float(np.abs(b).max())
  ), *found)
  assert memory[1] < 0.9 * memory[0]


@pytest.mark.parametrize('make', [small_fpn, small_unet, small_deeplab])
def test_all_blocks_are_recomputed(make):
  module, images = make().clone(recompute=True), jnp.ones((1, 32, 32, 3))
  variables = shapes(module)
  assert jax.tree.structure(variables) == jax.tree.structure(shapes(make()))
  program = jax.make_jaxpr(functools.partial(module.apply, train=True))(
      variables, images
  )
  # The primitive's own name changes with JAX.
  again = ['prevent_cse' in equation.params for equation in program.eqns]
  assert sum(again) == sum(stage.blocks for stage in STAGES)


def test_it_is_chosen_by_name():
  config = Segmentor(
      'deeplabv3plus', encoder='resnet50', output_stride=8, recompute=True
  )
  assert make_segmentor(config, 5) == DeepLabV3Plus(
      5, 1.0, ENCODERS['resnet50'], recompute=True, output_stride=8
  )
  with pytest.raises(UserError, match=r'segmentor.encoder vgg: the package'):
    make_segmentor(Segmentor('deeplabv3plus', encoder='vgg'), 5)
