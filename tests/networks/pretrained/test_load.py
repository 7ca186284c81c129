"""What --segmentor.weights accepts, and how it says no."""

import functools
import sys
import types
from pathlib import Path

import h5py
import jax
import numpy as np
import pytest
from numpy_vgg import CLASSES, weights
from weight_files import write_h5, write_npz, write_pth, write_safetensors

from adseg_jax.errors import UserError
from adseg_jax.method.state import Network
from adseg_jax.networks.pretrained.load import fit, load, locate, start
from adseg_jax.networks.segmentors import SEGMENTORS, MultiScale

WIDTH = 1 / 64


@functools.cache
def shapes(name='fcn32s', classes=CLASSES, **options):
  """Shapes of a network's parameters."""
  module = SEGMENTORS[name](classes, width=WIDTH, **options)
  return jax.eval_shape(
      functools.partial(module.init, train=False), jax.random.key(0),
      jax.ShapeDtypeStruct((1, 64, 64, 3), 'float32'),
  )['params']


def message(call, *arguments):
  with pytest.raises(UserError) as caught:
    call(*arguments)
  text = str(caught.value)
  assert '\n' not in text
  return text


def refusal(path, layout, write, change, name='fcn32s'):
  """What is said of a file with other arrays than it should have."""
  arrays = weights(layout, WIDTH)
  change(arrays)
  write(path, arrays)
  text = message(fit, path, shapes(name))
  assert text.startswith(f'{path}: ')
  return text.removeprefix(f'{path}: ')


TORCH = 'a.safetensors', 'torchvision', write_safetensors
KERAS = 'a.h5', 'keras', write_h5
NPZ = 'a.npz', 'npz', write_npz


@pytest.mark.parametrize('file,layout,write,key,expected', [
    (*TORCH, 'features.12.bias',
     'layer conv3_2 is missing: there is no features.12.bias: '),
    (*KERAS, 'block3_conv2/kernel',
     'layer conv3_2 is missing: there is no block3_conv2/kernel: '),
    (*NPZ, 'fc7_W', 'layer fc7 is missing: there is no fc7_W: '),
    (*TORCH, 'classifier.6.bias',
     'layer score is missing: there is no classifier.6.bias: '),
])
def test_a_missing_layer(tmp_path, file, layout, write, key, expected):
  text = refusal(tmp_path / file, layout, write, lambda a: a.pop(key))
  assert text.startswith(expected)


@pytest.mark.parametrize('file,layout,write,key,shape,expected', [
    (*TORCH, 'features.12.weight', (4, 4, 3, 2),
     'layer conv3_2 does not fit: features.12.weight is (4, 4, 3, 2), this '
     'network needs (4, 4, 3, 3): '),
    (*TORCH, 'classifier.0.weight', (64, 288),
     'layer fc6 does not fit: classifier.0.weight is (64, 288), this network '
     'needs (64, 392): '),
    (*KERAS, 'fc1/kernel', (64, 392),
     'layer fc6 does not fit: fc1/kernel is (64, 392), this network needs '
     '(392, 64): '),
    (*KERAS, 'block1_conv1/kernel', (1, 3, 3, 3),
     'layer conv1_1 does not fit: block1_conv1/kernel is (1, 3, 3, 3), this '
     'network needs (3, 3, 3, 1): '),
    (*NPZ, 'conv5_3_b', (7,),
     'layer conv5_3 does not fit: conv5_3_b is (7,), this network needs '
     '(8,): '),
    (*NPZ, 'fc8_W', (63, 5),
     'layer score does not fit: fc8_W is (63, 5), this network needs '
     '(64, 5): '),
])
def test_another_shape(tmp_path, file, layout, write, key, shape, expected):
  text = refusal(
      tmp_path / file, layout, write,
      lambda arrays: arrays.update({key: np.zeros(shape, np.float32)}),
  )
  assert text.startswith(expected)


def test_numbers_that_are_not_finite(tmp_path):
  def spoil(arrays):
    arrays['classifier.3.weight'][1, 2] = np.nan

  assert refusal(tmp_path / 'a.pth', 'torchvision', write_pth, spoil) == (
      'layer fc7 has numbers that are not finite in classifier.3.weight: give '
      'another file'
  )


@pytest.mark.parametrize('file,layout,write,key', [
    (*TORCH, 'features.1.weight'), (*TORCH, 'features.30.weight'),
    (*KERAS, 'block3_conv4/kernel'), (*NPZ, 'conv3_4_W'),
])
def test_another_vgg(tmp_path, file, layout, write, key):
  """With batch normalisation, or with 19 layers."""
  text = refusal(
      tmp_path / file, layout, write,
      lambda a: a.update({key: np.zeros((3, 3), np.float32)}),
  )
  assert text == (
      f'of another network: this one has no {key}: give weights of VGG-16 '
      'without batch normalisation'
  )


def test_another_network(tmp_path):
  write_pth(tmp_path / 'a.pth', {
      'conv1.weight': np.zeros((64, 3, 7, 7), np.float32),
      'layer1.0.bn1.bias': np.zeros(64, np.float32),
  })
  assert message(fit, tmp_path / 'a.pth', shapes()) == (
      f'{tmp_path}/a.pth: not VGG-16: has no features.0.weight or '
      'block1_conv1/kernel or conv1_1_W, but 2 arrays such as conv1.weight: '
      'give weights of VGG-16 without batch normalisation'
  )


@pytest.mark.parametrize('name,options', [
    ('fcn32s', {}), ('fcn16s', {}), ('fcn8s', {}),
    ('dilated8', {'context': 'basic'}),
])
def test_every_network_on_vgg_16_takes_them(tmp_path, name, options):
  arrays = weights('torchvision', WIDTH)
  write_pth(tmp_path / 'a.pth', arrays)
  params = shapes(name, **options)
  pretrained = fit(tmp_path / 'a.pth', params)
  assert set(pretrained.new) == set(params) - {'vgg', 'fc6', 'fc7', 'score'}
  own = Network(jax.tree.map(lambda s: np.ones(s.shape), params), {}, ())
  network = start(own, pretrained)
  assert jax.tree.map(np.shape, network.params) == jax.tree.map(
      np.shape, own.params
  )
  np.testing.assert_array_equal(
      network.params['vgg']['conv5_3']['bias'], arrays['features.28.bias']
  )
  for layer in pretrained.new:
    assert network.params[layer] is own.params[layer]


def test_the_class_layer_is_left_out_when_the_class_count_differs(tmp_path):
  write_npz(tmp_path / 'a.npz', weights('npz', WIDTH))
  pretrained = fit(tmp_path / 'a.npz', shapes(classes=CLASSES + 1))
  assert pretrained.new == ['score']
  assert sorted(pretrained.params) == ['fc6', 'fc7', 'vgg']


def test_convolutions_alone_are_enough(tmp_path):
  arrays = {
      name: array for name, array in weights('keras', WIDTH).items()
      if name.startswith('block')
  }
  write_h5(tmp_path / 'notop.h5', arrays)
  pretrained = fit(tmp_path / 'notop.h5', shapes('fcn16s'))
  assert sorted(pretrained.new) == ['fc6', 'fc7', 'score', 'score_pool4']
  assert list(pretrained.params) == ['vgg']


@pytest.mark.parametrize('name,content,expected', [
    ('a.tar', b'', 'not a known format: give a file that ends in '
     '.safetensors, .pth, .h5, .npz'),
    ('a.safetensors', b'', 'cannot be read as .safetensors (ValueError): '),
    ('a.safetensors', b'\xff' * 40, 'cannot be read as .safetensors ('),
    ('a.h5', b'no', 'cannot be read as .h5 (OSError): '),
    ('a.npz', b'no', 'cannot be read as .npz ('),
])
def test_a_broken_file(tmp_path, name, content, expected):
  (tmp_path / name).write_bytes(content)
  text = message(fit, tmp_path / name, shapes())
  assert text.startswith(f'{tmp_path / name}: {expected}')


def outside_storage(file, path):
  file.create_dataset(
      'secret', (4,), 'u1', external=[(str(path), 0, 4)]
  )


def outside_link(file, path):
  with h5py.File(path, 'w') as other:
    other['x'] = np.ones(4)
  file['group/secret'] = h5py.ExternalLink(str(path), 'x')


def outside_view(file, path):
  outside_link(h5py.File(path.with_suffix('.b'), 'w'), path)
  layout = h5py.VirtualLayout((4,), 'f8')
  layout[:] = h5py.VirtualSource(str(path), 'x', (4,))
  file.create_virtual_dataset('secret', layout)


@pytest.mark.parametrize('mistake', [
    outside_storage, outside_link, outside_view
])
def test_numbers_in_another_file_are_refused(tmp_path, mistake):
  path, other = tmp_path / 'a.h5', tmp_path / 'other'
  other.write_bytes(b'root')
  write_h5(path, weights('keras', WIDTH))
  with h5py.File(path, 'a') as file:
    mistake(file, other)
  text = message(fit, path, shapes())
  assert text.startswith(f'{path}: ') and 'secret' in text
  assert 'lies in another file: give a file that holds all' in text


def test_safetensors_cut_short(tmp_path):
  path = tmp_path / 'a.safetensors'
  write_safetensors(path, weights('torchvision', WIDTH))
  path.write_bytes(path.read_bytes()[:-4])
  assert 'cannot be read as .safetensors (ValueError)' in message(
      fit, path, shapes()
  )


def test_npz_never_unpickles(tmp_path):
  np.savez(tmp_path / 'a.npz', conv1_1_W=np.array([print], object))
  assert 'cannot be read as .npz (ValueError)' in message(
      fit, tmp_path / 'a.npz', shapes()
  )


def test_only_the_whole_network_takes_weights(tmp_path):
  network = types.SimpleNamespace(params=shapes())
  text = message(load, 'a.pth', SEGMENTORS['fcn32s'](5, WIDTH), network)
  assert text == (
      '--segmentor.width is 0.015625: give 1, since --segmentor.weights '
      'a.pth are those of the whole network'
  )


def test_a_network_that_takes_no_weights():
  module = MultiScale(5)
  network = types.SimpleNamespace(params={'features': {}, 'classifier1': {}})
  assert message(load, 'a.pth', module, network) == (
      '--segmentor.weights a.pth: there are none for MultiScale but those of '
      'its runs: give the workdir of one, another --segmentor.name, or no '
      'weights'
  )


def test_the_hub_is_an_extra(monkeypatch):
  monkeypatch.setitem(sys.modules, 'huggingface_hub', None)
  assert message(locate, 'hf:timm/vgg16.tv_in1k') == (
      '--segmentor.weights hf:timm/vgg16.tv_in1k: needs the package '
      "huggingface-hub: pip install 'adseg_jax[hub]', or give the path of a "
      'file'
  )


def hub(monkeypatch, download):
  module = types.SimpleNamespace(hf_hub_download=download)
  monkeypatch.setitem(sys.modules, 'huggingface_hub', module)


def test_the_hub_gives_a_file(monkeypatch):
  hub(monkeypatch, lambda name, file: f'/cache/{name}/{file}')
  assert locate('hf:timm/vgg16.tv_in1k') == Path(
      '/cache/timm/vgg16.tv_in1k/model.safetensors'
  )


def test_without_a_network_the_hub_is_one_line(monkeypatch):
  def download(*_):
    raise ConnectionError('a\nlong\nstory')

  hub(monkeypatch, download)
  assert message(locate, 'hf:timm/vgg16.tv_in1k') == (
      '--segmentor.weights hf:timm/vgg16.tv_in1k: model.safetensors cannot be '
      'fetched (ConnectionError): check the name and the network, or give the '
      'path of a file'
  )
