"""One array of a file of weights, as a layer here needs it."""

from pathlib import Path

import numpy as np

from adseg_jax.errors import UserError


def take(arrays, name: str, shape, layer: str, path: Path, network: str,
         axes: str = 'OIHW'):
  """An array of a file.

  Args:
    arrays: all of the file, by name.
    name: its name there.
    shape: [k,k,I,O] of a kernel, or [O].
    layer: of the network here, for messages.
    path: of the file, for messages.
    network: that the weights should be of, for messages.
    axes: of a kernel in the file, 'OIHW' or 'HWIO'; a dense layer's are the
      same with input and space flattened together, so 'O,IHW' or 'HWI,O'.

  Returns:
    float32 [*shape].

  Raises:
    UserError: it is missing, of another shape or not finite.
  """
  if name not in arrays:
    raise UserError(
        f'{path}: layer {layer} is missing: there is no {name}: give weights '
        f'of the whole {network}'
    )
  array = arrays[name]
  stored = _stored_shape(shape, array.ndim, axes)
  if array.shape != stored:
    raise UserError(
        f'{path}: layer {layer} does not fit: {name} is {array.shape}, this '
        f'network needs {stored}: give weights of {network}'
    )
  array = _to_ours(np.asarray(array, np.float32), shape, axes)
  if not np.isfinite(array).all():
    raise UserError(
        f'{path}: layer {layer} has numbers that are not finite in {name}: '
        'give another file'
    )
  return array


def _stored_shape(shape, ndim: int, axes: str) -> tuple[int, ...]:
  """The shape in a file of what is [k,k,I,O] or [O] here."""
  if len(shape) == 1:
    return tuple(shape)
  k, _, i, o = shape
  flat = k * k * i
  if axes == 'OIHW':
    return (o, flat) if ndim == 2 else (o, i, k, k)
  return (flat, o) if ndim == 2 else (k, k, i, o)


def _to_ours(array, shape, axes: str):
  """An array as a file has it -> [k,k,I,O] or [O]."""
  if array.ndim == 1 or axes == 'HWIO':
    return array.reshape(shape)
  k, _, i, o = shape
  return array.reshape(o, i, k, k).transpose(2, 3, 1, 0)
