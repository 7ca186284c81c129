"""A tiny network of VGG-16's layout, in every format, against NumPy."""

import functools

import jax
import numpy as np
import pytest
from numpy_vgg import (
    BIAS,
    CLASSES,
    KERNEL,
    convolved,
    features,
    names,
    prepared,
    scores,
    weights,
)
from weight_files import (
    write_h5,
    write_legacy_pth,
    write_npz,
    write_pth,
    write_safetensors,
)

from adseg_jax.method.state import Network
from adseg_jax.networks.pretrained.load import fit, start
from adseg_jax.networks.segmentors import SEGMENTORS, FCN32s
from adseg_jax.networks.segmentors.vgg import DEVIATION, MEAN, VGG16

WIDTH = 1 / 32
FORMATS = {
    'torchvision.pth': write_pth,
    'torchvision_legacy.pth': write_legacy_pth,
    'torchvision.safetensors': write_safetensors,
    'timm.safetensors': functools.partial(write_safetensors, kind='F64'),
    'keras.weights.h5': write_h5,
    'keras_2.h5': functools.partial(write_h5, age=2),
    'keras_1.h5': functools.partial(write_h5, age=1),
    'npz.npz': write_npz,
}


@functools.cache
def fresh(name='fcn32s', classes=CLASSES):
  """A network before its first step; compiled once for all formats."""
  module = SEGMENTORS[name](classes, WIDTH)
  variables = jax.jit(functools.partial(module.init, train=False))(
      jax.random.key(0), np.zeros((1, 64, 64, 3), np.float32)
  )
  variables = dict(variables)
  return Network(variables.pop('params'), variables, ())


@functools.cache
def picture():
  return np.random.default_rng(1).random((224, 224, 3), np.float32)


@jax.jit
def run(variables, images):
  """(what the fifth pool gives, what the class layer gives)."""
  _, seen = FCN32s(CLASSES, WIDTH).apply(
      variables, images, train=False, capture_intermediates=True
  )
  seen = seen['intermediates']
  return seen['vgg']['__call__'][0][-1][0], seen['score']['__call__'][0][0]


def variables(network):
  return {'params': network.params, **network.model_state}


def close(ours, theirs):
  np.testing.assert_allclose(
      ours, theirs, atol=2e-5 * np.abs(theirs).max(), rtol=0
  )


@pytest.mark.parametrize('name', FORMATS)
def test_the_network_computes_what_the_weights_did_at_home(name, tmp_path):
  """At every place of the fifth pool, so beside the border, too."""
  layout, path = name.split('.')[0].split('_')[0], tmp_path / name
  arrays = weights(layout, WIDTH)
  FORMATS[name](path, arrays)
  pretrained = fit(path, fresh().params)
  assert pretrained.new == []
  network = start(fresh(), pretrained)
  pooled, logits = run(variables(network), picture()[None])
  expected = features(layout, arrays, picture())
  assert expected.shape == (7, 7, 16) and (expected > 0).mean() > 0.3
  close(pooled, expected)
  # In the middle of the 7x7 map, fc6 sees all that the dense layer saw.
  close(logits[3, 3], scores(layout, arrays, expected))


@jax.jit
def first_pool(backbone, image):
  return VGG16(WIDTH).apply(backbone, image[None])[0][0]


@pytest.mark.parametrize('name', ['keras.h5', 'npz.npz'])
def test_beyond_the_border_lies_the_mean_of_the_weights(name, tmp_path):
  """Not that of the network: folding it into a bias would be wrong there."""
  layout, path = name.split('.')[0], tmp_path / name
  arrays = weights(layout, WIDTH)
  {'keras': write_h5, 'npz': write_npz}[layout](path, arrays)
  network = start(fresh(), fit(path, fresh().params))
  params, mean = (
      network.params['vgg'], network.model_state['constants']['vgg']['mean']
  )
  image = picture()[:32, :32]
  x = prepared(layout, np.float64(image))
  for layer in names(layout)[:2]:
    x = convolved(layout, x, arrays[KERNEL[layout].format(layer)],
                  arrays[BIAS[layout].format(layer)])
  expected = x.reshape(16, 2, 16, 2, -1).max((1, 3))

  def apart(params, mean):
    ours = first_pool({'params': params, 'constants': {'mean': mean}}, image)
    return np.abs(ours - expected).max(-1) / expected.max()

  assert apart(params, mean).max() < 1e-6
  # This test can tell: the network's first mean, with a bias that makes up
  # for it, is right inside and wrong beside the border.
  kernel, bias = params['conv1_1']['kernel'], params['conv1_1']['bias']
  change = (np.float32(mean) - np.float32(MEAN)) / np.float32(DEVIATION)
  bias = bias - np.einsum('i,klio->o', change, kernel)
  folded = apart(
      params | {'conv1_1': {'kernel': kernel, 'bias': bias}}, np.float32(MEAN)
  )
  assert folded[1:-1, 1:-1].max() < 1e-6 < 1e-4 < folded.max()
