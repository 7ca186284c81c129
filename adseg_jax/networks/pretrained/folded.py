"""Encoders whose files have batch norms, which are folded.

What a norm does to a convolution's output, with the statistics of its
training, is a factor on the kernel and a bias. Order, mean and scale of the
colours are treated as VGG-16's: see there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adseg_jax.errors import UserError
from adseg_jax.networks.pretrained.arrays import take
from adseg_jax.wording import counted

STEM = ('stem',)  # the first layer, of every encoder
NORM = 'weight', 'bias', 'running_mean', 'running_var'


class Layout(NamedTuple):
  """How a kind of file keeps an encoder.

  Attributes:
    names: an encoder's parameters -> {our layer, a tuple of the tree's keys:
      names of (convolution, its norm)}.
    beyond: convolutions of the file that encoders don't have.
    mean: RGB in 0..1, which is subtracted first.
    deviation: RGB in 0..1, which it is divided by then.
  """

  names: Callable
  beyond: tuple[str, ...]
  mean: tuple[float, ...]
  deviation: tuple[float, ...]


class Family(NamedTuple):
  """Encoders of one kind.

  Attributes:
    name: for messages.
    layouts: of their files.
    epsilon: of every norm.
    deviation: that our first kernel expects.
  """

  name: str
  layouts: tuple[Layout, ...]
  epsilon: float
  deviation: tuple[float, ...]


def blocks(params):
  """(name, stage from 0, number in it from 0) of an encoder's blocks."""
  found = []
  for name in params.keys() - set(STEM):
    stage, number = name.removeprefix('stage').split('_')
    found.append((int(stage) - 1, int(number) - 1, name))
  return [(name, stage, number) for stage, number, name in sorted(found)]


def convert(arrays: dict, params: dict, path: Path, family: Family):
  """A file's arrays -> an encoder's parameters.

  Args:
    arrays: all of the file, by name.
    params: of the encoder, or their shapes.
    path: of the file, for messages.
    family: the encoder's.

  Returns:
    (float32 arrays in the tree of params, mean [3], RGB in 0..1).

  Raises:
    UserError: the file is of another network, or a layer is missing, of
      another shape or not finite.
  """
  layout = _recognize(arrays, params, path, family)
  names = layout.names(params)
  _check_rest(arrays, names, layout, path, family)
  tree = {}
  for layer, name in names.items():
    *outer, last = layer
    shape, inner = params, tree
    for key in outer:
      shape, inner = shape[key], inner.setdefault(key, {})
    inner[last] = _folded(
        arrays, name, shape[last]['kernel'].shape, '/'.join(layer), path, family
    )
  tree['stem']['kernel'] *= (
      np.float32(family.deviation) / np.float32(layout.deviation)
  ).reshape(1, 1, 3, 1)
  return tree, layout.mean


def _weights_of(family) -> str:
  return f'the {family.name} that --segmentor.encoder names'


def _recognize(arrays, params, path, family) -> Layout:
  stems = []
  for layout in family.layouts:
    stems.append(f'{layout.names(params)[STEM][0]}.weight')
    if stems[-1] in arrays:
      return layout
  raise UserError(
      f'{path}: not {family.name}: has no {" or ".join(stems)}, but '
      f'{counted(len(arrays), "array")} such as {next(iter(arrays), "none")}: '
      f'give weights of {_weights_of(family)}'
  )


def _check_rest(arrays, names, layout, path, family):
  """Refuses further convolutions, as of squeeze and excitation, or depth."""
  known = {name for name, _ in names.values()} | {*layout.beyond}
  for name, array in arrays.items():
    if array.ndim == 4 and name.removesuffix('.weight') not in known:
      raise UserError(
          f'{path}: of another network: this one has no {name}: give weights '
          f'of {_weights_of(family)}'
      )


def _folded(arrays, names, shape, layer, path, family):
  """A convolution's kernel and bias with its norm in them."""
  def find(name, shape):
    return take(arrays, name, shape, layer, path, _weights_of(family))

  convolution, norm = names
  kernel = find(f'{convolution}.weight', shape)
  scale, shift, mean, variance = (
      find(f'{norm}.{part}', shape[-1:]).astype(np.float64) for part in NORM
  )
  factor = scale / np.sqrt(np.maximum(variance, 0) + family.epsilon)
  return {
      'kernel': np.float32(kernel * factor.reshape(1, 1, 1, -1)),
      'bias': np.float32(shift - mean * factor),
  }
