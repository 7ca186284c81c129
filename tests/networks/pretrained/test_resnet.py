"""ResNet's weights, as torchvision and timm name them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lite_reference import random_array
from resnet_reference import CHANNELS, NAMES, picture, reference
from weight_files import write_safetensors

from adseg_jax.errors import UserError
from adseg_jax.networks.pretrained.load import fit
from adseg_jax.networks.segmentors import ENCODERS, FPN


@functools.cache
def shapes(name):
  module = FPN(5, encoder=ENCODERS[name])
  return jax.eval_shape(
      functools.partial(module.init, train=False), jax.random.key(0),
      jax.ShapeDtypeStruct((1, 64, 64, 3), 'float32'),
  )['params']


def write(path, expected):
  write_safetensors(path, {
      name: random_array(name, tuple(map(int, shape.split(','))))
      for name, shape in zip(
          expected['names'].tolist(), expected['shapes'].tolist(), strict=True
      )
  })
  return path


@pytest.mark.parametrize('name', NAMES)
def test_maps_are_those_of_the_reference(tmp_path, name):
  """Of torchvision, live where it is installed; batch norm is folded here."""
  expected = reference(name)
  found = fit(write(tmp_path / 'a.safetensors', expected), shapes(name))
  assert found.new == ['pyramid', 'score']
  maps = jax.jit(ENCODERS[name]().apply)({
      'params': found.params['encoder'],
      'constants': {'mean': np.float32(found.mean)},
  }, jnp.asarray(picture()))
  for i, (one, _) in enumerate(maps):
    other = expected[f'map{i}']
    np.testing.assert_allclose(
        one[0, ..., :CHANNELS], other, atol=1e-5 * np.abs(other).max()
    )


@pytest.mark.parametrize('one,other,expected', [
    ('resnet18', 'resnet34', 'layer stage1_3/conv1 is missing: there is no '
     'layer1.2.conv1.weight: give weights '),
    ('resnet18', 'resnet50', 'does not fit: '),
    ('resnet50', 'resnet34', 'of another network: this one has no '),
    ('resnet18', 'efficientnet_lite0', 'not EfficientNet-Lite: has no '
     '_conv_stem.weight or conv_stem.weight, but 102 arrays such as '
     'conv1.weight: give weights of the EfficientNet-Lite that '),
])
def test_weights_of_another_network(tmp_path, one, other, expected):
  path = write(tmp_path / 'a.safetensors', reference(one))
  with pytest.raises(UserError) as caught:
    fit(path, shapes(other))
  assert expected in str(caught.value) and '\n' not in str(caught.value)
