"""State dicts that PyTorch saved, read without PyTorch and without trust.

A .pth file is a pickle, and a pickle is a program. This one may name nothing
but tensors, their storages and OrderedDict; at any other name it is refused
before that name is even looked up.
"""

import collections
import pickle
import zipfile
from pathlib import Path
from typing import NamedTuple

import ml_dtypes
import numpy as np

from adseg_jax.errors import UserError

# First number of a file from before PyTorch 1.6, which is a row of pickles
# instead of a zip archive (torch/serialization.py).
MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {
    'DoubleStorage': 'float64', 'FloatStorage': 'float32',
    'HalfStorage': 'float16', 'BFloat16Storage': 'bfloat16',
    'LongStorage': 'int64', 'IntStorage': 'int32', 'ShortStorage': 'int16',
    'CharStorage': 'int8', 'ByteStorage': 'uint8', 'BoolStorage': 'bool',
}


class Storage(NamedTuple):
  """Numbers that tensors share; `key` names them in the file."""

  kind: str
  key: str
  count: int

  @property
  def dtype(self) -> np.dtype:
    """NumPy's type, little-endian."""
    if self.kind == 'bfloat16':
      return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(self.kind).newbyteorder('<')


class Tensor(NamedTuple):
  """A view of a storage; strides count elements."""

  storage: Storage
  offset: int
  shape: tuple[int, ...]
  strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
  """Admits tensors, storages and OrderedDict, and nothing else."""

  def __init__(self, file):
    super().__init__(file)
    # Made anew for each file: a pickle may set attributes of what it names.
    self.admitted = {
        ('collections', 'OrderedDict'): collections.OrderedDict,
        ('torch._utils', '_rebuild_tensor_v2'): (
            lambda storage, offset, shape, strides, *_: Tensor(
                storage, offset, tuple(shape), tuple(strides)
            )
        ),
        ('torch._utils', '_rebuild_parameter'): lambda tensor, *_: tensor,
    } | {('torch', name): kind for name, kind in STORAGES.items()}

  def find_class(self, module, name):
    """The stand-in for a name; the name itself is never imported."""
    if (module, name) not in self.admitted:
      raise UserError(
          f'names {module}.{name}, which is no tensor: refused; save the '
          'state dict alone, or give a .safetensors file'
      )
    return self.admitted[module, name]

  def persistent_load(self, pid):
    """('storage', kind, key, device, count), older files: and a view."""
    _, kind, key, _, count, *view = pid
    if kind not in STORAGES.values() or any(view):
      raise UserError(f'has a storage that is not understood: {key}')
    return Storage(kind, str(key), int(count))


def read(path: Path) -> dict[str, np.ndarray]:
  """The tensors of a state dict, in a file by torch.save of any age.

  Raises:
    UserError: it names anything but tensors, or is no state dict.
    Exception: it is broken.
  """
  if zipfile.is_zipfile(path):
    tensors, storages = _read_zip(path)
  else:
    tensors, storages = _read_legacy(path)
  return {
      name: _view(tensor, storages[tensor.storage.key])
      for name, tensor in tensors.items()
  }


def _tensors(state) -> dict[str, Tensor]:
  """The state dict's tensors, or refusal."""
  tensors = {
      name: value for name, value in state.items()
      if isinstance(value, Tensor)
  } if isinstance(state, dict) else {}
  if not tensors:
    raise UserError(
        'holds no state dict: save one by '
        'torch.save(model.state_dict(), ...)'
    )
  return tensors


def _read_zip(path: Path):
  """ARCHIVE/data.pkl, and each storage in ARCHIVE/data/KEY."""
  with zipfile.ZipFile(path) as archive:
    [name] = [n for n in archive.namelist() if n.endswith('/data.pkl')]
    top = name.removesuffix('data.pkl')
    order = f'{top}byteorder'
    if order in archive.namelist() and archive.read(order) != b'little':
      raise UserError('was saved on a big-endian machine: save it on another')
    with archive.open(name) as file:
      tensors = _tensors(_Unpickler(file).load())
    storages = {
        storage.key: _numbers(archive.read(f'{top}data/{storage.key}'), storage)
        for storage in {tensor.storage for tensor in tensors.values()}
    }
  return tensors, storages


def _read_legacy(path: Path):
  """Pickles: magic, version, machine, state, keys; then the storages."""
  with path.open('rb') as file:
    if _Unpickler(file).load() != MAGIC:
      raise UserError('was not saved by PyTorch')
    _Unpickler(file).load()
    if not _Unpickler(file).load()['little_endian']:
      raise UserError('was saved on a big-endian machine: save it on another')
    tensors = _tensors(_Unpickler(file).load())
    known = {
        tensor.storage.key: tensor.storage for tensor in tensors.values()
    }
    storages = {}
    for key in _Unpickler(file).load():
      storage = known[key]
      count = int.from_bytes(file.read(8), 'little')
      if count != storage.count:
        raise ValueError(key)
      size = count * storage.dtype.itemsize
      storages[key] = _numbers(file.read(size), storage)
  return tensors, storages


def _numbers(content: bytes, storage: Storage) -> np.ndarray:
  numbers = np.frombuffer(content, storage.dtype)
  if len(numbers) != storage.count:
    raise ValueError(storage.key)
  return numbers


def _view(tensor: Tensor, numbers: np.ndarray) -> np.ndarray:
  """The tensor's array; strides that leave the storage are an error."""
  _, offset, shape, strides = tensor
  last = offset + sum(
      (side - 1) * step for side, step in zip(shape, strides, strict=True)
  )
  least = min((offset, *strides, *shape))
  if least < 0 or (0 not in shape and last >= len(numbers)):
    raise ValueError(tensor)
  # An empty tensor's strides mean nothing.
  if 0 in shape:
    return np.zeros(shape, numbers.dtype)
  return np.lib.stride_tricks.as_strided(
      numbers[offset:], shape, [step * numbers.itemsize for step in strides],
      writeable=False,
  )
