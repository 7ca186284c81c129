import functools

import jax
import jax.numpy as jnp
import pytest
from lite import (
  STAGES,
  small_deeplab,
  small_encoder,
  small_fpn,
  small_resnet,
)
from variables import count, shapes

from adseg_jax.config import Segmentor
from adseg_jax.errors import UserError
from adseg_jax.method.method import make_segmentor
from adseg_jax.networks.segmentors import ENCODERS, DeepLabV3Plus
from adseg_jax.networks.segmentors.deeplab import rates
from adseg_jax.networks.segmentors.stages import steps


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


@pytest.mark.parametrize('make,size', [
    (small_encoder, (61, 37)), (small_resnet, (4, 9)), (small_resnet, (1, 1)),
])
def test_odd_sizes(make, size):
  module = small_deeplab(encoder=make, output_stride=8)
  logits = jax.eval_shape(
      functools.partial(module.apply, train=False), shapes(module),
      jnp.ones((2, *size, 3)),
  )
  assert logits.shape == (2, -(-size[0] // 4), -(-size[1] // 4), 3)


@pytest.mark.parametrize('make', [small_fpn, small_deeplab])
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
