import functools

import jax
import numpy as np
import pytest
from lite import STAGES, small_encoder, small_resnet
from variables import noise

from adseg_jax.networks.segmentors import ENCODERS
from adseg_jax.networks.segmentors.efficientnet_lite import EfficientNetLite
from adseg_jax.networks.segmentors.resnet import ResNet, stages

# Parameters of whole classifiers: norms have a scale and a bias each, while a
# folded one is a bias (PyTorch, `sum(p.numel() for p in model.parameters())`).
PUBLISHED = {
    'efficientnet_lite0': 4_652_008, 'efficientnet_lite1': 5_416_680,
    'efficientnet_lite2': 6_092_072, 'resnet18': 11_689_512,
    'resnet34': 21_797_672, 'resnet50': 25_557_032, 'resnet101': 44_549_160,
}
STRIDES = 4, 8, 16, 32


def shapes(encoder):
  return jax.eval_shape(
      lambda key: encoder.init_with_output(key, np.zeros((1, 64, 64, 3), 'f')),
      jax.random.key(0),
  )


@pytest.mark.parametrize('name', ENCODERS)
def test_parameters_are_the_published_ones(name):
  maps, variables = shapes(ENCODERS[name]())
  leaves = jax.tree_util.tree_leaves_with_path(variables['params'])
  biases = sum(x.size for path, x in leaves if path[-1].key == 'bias')
  last = maps[-1][0].shape[-1]
  beyond = 1000 * (last + 1)
  if 'lite' in name:  # a further convolution and its norm
    beyond = last * 1280 + 2 * 1280 + 1000 * (1280 + 1)
  assert sum(x.size for _, x in leaves) + biases == PUBLISHED[name] - beyond


@pytest.fixture(scope='module')
def seen():
  """make -> (variables, noise, its maps, cells that its end does not reach)."""
  @functools.cache
  def found(make):
    encoder = make(width=0.2)
    variables = noise(shapes(encoder)[1])
    side = 32 * -(-(encoder.reach + 80) // 32)
    images = np.random.default_rng(1).random((1, 32, side, 3), np.float32)
    return variables, images, jax.jit(encoder.apply)(variables, images)

  return found


@pytest.mark.parametrize('make', [small_encoder, small_resnet])
def test_a_cell_lies_at_the_same_pixels_whatever_the_size(seen, make):
  """Far from the border, a picture and its first part have the same maps."""
  variables, images, whole = seen(make)
  encoder = make(width=0.2)
  # The maps of stride 4, 8 and 16 have an odd number of cells then.
  part = images[:, :, :-28]
  for (one, _), (other, _), stride in zip(
      jax.jit(encoder.apply)(variables, part), whole, STRIDES, strict=True
  ):
    alike = max(1, (part.shape[2] - encoder.reach) // stride)
    np.testing.assert_allclose(
        one[:, :, :alike], other[:, :, :alike],
        atol=1e-5 * float(np.abs(other).max()),
    )


@pytest.mark.parametrize('make', [small_encoder, small_resnet])
def test_dilated_stages_are_the_strided_ones_at_more_places(seen, make):
  """Lite's strided kernels lie about the last pixel of a cell, ResNet's first.

  So a pretrained encoder's maps stay what they are.
  """
  variables, images, strided = seen(make)
  dilated = jax.jit(make(width=0.2, output_stride=8).apply)(variables, images)
  for (wanted, _), (found, _), stride in zip(
      strided, dilated, STRIDES, strict=True
  ):
    every = max(1, stride // 8)
    first = every - 1 if make is small_encoder else 0
    np.testing.assert_allclose(
        found[:, first::every, first::every], wanted,
        atol=1e-5 * float(np.abs(wanted).max()),
    )
    assert found.shape[1] == 32 // min(stride, 8)


@pytest.mark.parametrize('encoder', [
    EfficientNetLite(STAGES[:2]), ResNet(stages((2, 1), False), 0.5),
], ids=lambda encoder: type(encoder).__name__)
def test_recomputing_changes_memory_alone(rng, encoder):
  images = rng.random((2, 64, 64, 3), np.float32)
  variables = noise(shapes(encoder)[1])

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
