"""A file's arrays -> layers of our networks.

Where a convolution has a batch norm behind it, that is folded: what it does,
with the statistics of its training, is a factor on the kernel and a bias.
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adseg_jax.errors import UserError
from adseg_jax.networks.pretrained.layouts import (
    CLASSES,
    Architecture,
    Layout,
)
from adseg_jax.wording import counted

NORM = 'weight', 'bias', 'running_mean', 'running_var'


class _File(NamedTuple):
  """All arrays of a file, by name, and what they should be."""

  arrays: dict
  path: Path
  architecture: Architecture
  layout: Layout

  def take(self, name: str, shape, layer: str):
    """float32 [*shape] of an array; `shape` is [k,k,I,O] or [O]."""
    if name not in self.arrays:
      raise UserError(
          f'{self.path}: layer {layer} is missing: there is no {name}: give '
          f'weights of the whole {self.architecture.wanted}'
      )
    array, whole, flat = self.arrays[name], shape, shape
    turned = len(shape) > 1 and self.layout.axes == 'OIHW'
    if len(shape) > 1:
      k, _, i, o = shape
      whole = (o, i, k, k) if turned else shape
      flat = (o, i * k * k) if turned else (k * k * i, o)
    stored = tuple(flat if array.ndim == 2 else whole)
    if array.shape != stored:
      raise UserError(
          f'{self.path}: layer {layer} does not fit: {name} is {array.shape}, '
          f'this network needs {stored}: give weights of '
          f'{self.architecture.wanted}'
      )
    array = np.asarray(array, np.float32).reshape(whole)
    if not np.isfinite(array).all():
      raise UserError(
          f'{self.path}: layer {layer} has numbers that are not finite in '
          f'{name}: give another file'
      )
    return array.transpose(2, 3, 1, 0) if turned else array

  def layer(self, layer: str, name: str, norm: str | None, shape):
    """A layer's kernel and bias, with its norm in them where there is one."""
    kernel = self.take(self.layout.kernel.format(name), shape, layer)
    if norm is None:
      bias = self.take(self.layout.bias.format(name), shape[-1:], layer)
      return {'kernel': kernel, 'bias': bias}
    scale, shift, mean, variance = (
        self.take(f'{norm}.{part}', shape[-1:], layer).astype(np.float64)
        for part in NORM
    )
    factor = scale / np.sqrt(
        np.maximum(variance, 0) + self.architecture.epsilon
    )
    return {
        'kernel': np.float32(kernel * factor.reshape(1, 1, 1, -1)),
        'bias': np.float32(shift - mean * factor),
    }


def convert(arrays: dict, params: dict, path: Path, architecture: Architecture):
  """The layers of a segmentor that all arrays of a file, by name, have.

  Of the segmentor are its parameters, or their shapes, and its architecture.

  Returns:
    (float32 arrays, a part of the tree of params: the backbone, layers of the
    head if the file has them, the class layer if it has as many classes; the
    mean that is to be subtracted, RGB in 0..1).

  Raises:
    UserError: the file is of another network, or a layer is missing, of
      another shape or not finite.
  """
  root = architecture.root
  layout, names = _recognize(arrays, params[root], path, architecture)
  file, tree = _File(arrays, path, architecture, layout), {}
  head = _head(arrays, params, layout)
  for layer, (name, norm) in (names | head).items():
    *outer, last = [layer] if layer in head else [root, *layer.split('/')]
    shape, inner = params, tree
    for key in outer:
      shape, inner = shape[key], inner.setdefault(key, {})
    inner[last] = file.layer(layer, name, norm, shape[last]['kernel'].shape)
  first = tree[root][next(iter(names))]
  colours = slice(None, None, -1 if layout.reverse else 1)
  scale = np.float32(architecture.deviation) / np.float32(layout.deviation)
  first['kernel'] = first['kernel'][:, :, colours] * scale.reshape(1, 1, 3, 1)
  return tree, layout.mean


def _recognize(arrays, backbone, path, architecture):
  """The layout with the most of its names in the file, and the names."""
  def kernels(layout):
    names = (layout.names(backbone) | layout.head).values()
    return [layout.kernel.format(name) for name, _ in names]

  layouts = architecture.layouts
  layout = max(layouts, key=lambda one: len({*kernels(one)} & arrays.keys()))
  if not {*kernels(layout)} & arrays.keys():
    firsts = dict.fromkeys(kernels(one)[0] for one in layouts)
    raise UserError(
        f'{path}: not {architecture.name}: has no {" or ".join(firsts)}, but '
        f'{counted(len(arrays), "array")} such as {next(iter(arrays), "none")}'
        f': give weights of {architecture.wanted}'
    )
  names = layout.names(backbone)
  known = {layout.kernel.format(name) for pair in names.values()
           for name in pair}
  # As of a deeper one, of squeeze and excitation, or of a norm.
  inside = re.escape(layout.kernel).replace(r'\{\}', layout.inside)
  for name in arrays:
    if re.fullmatch(inside, name) and name not in known:
      raise UserError(
          f'{path}: of another network: this one has no {name}: give weights '
          f'of {architecture.wanted}'
      )
  return layout, names


def _head(arrays, params, layout) -> dict:
  """The head's layers to take: what is left out must be left out as a whole."""
  there = {
      layer: arrays[kernel].shape for layer, (name, _) in layout.head.items()
      if (kernel := layout.kernel.format(name)) in arrays
  }
  if not there:
    return {}
  classes = there.get(CLASSES, ())
  classes = classes[:1] if layout.axes == 'OIHW' else classes[-1:]
  same = classes == params[CLASSES]['kernel'].shape[-1:]
  return {
      layer: name for layer, name in layout.head.items()
      if layer != CLASSES or same
  }
