"""Files of weights, written byte by byte, without the libraries they are of."""

import json
import pickle
import struct
import zipfile

import h5py
import numpy as np

STORAGES = {'f4': b'FloatStorage', 'f2': b'HalfStorage', 'i8': b'LongStorage'}


def integer(value):
  return b'J' + struct.pack('<i', value)


def string(value):
  data = value.encode()
  return b'X' + struct.pack('<I', len(data)) + data


def row(*items):
  return b'(' + b''.join(items) + b't'


def named(module, name):
  return b'c' + module + b'\n' + name + b'\n'


def program(*parts):
  """A pickle of protocol 2."""
  return b'\x80\x02' + b''.join(parts) + b'.'


ORDERED = named(b'collections', b'OrderedDict') + b')R'


def storage(key, array, *more):
  return row(
      string('storage'), named(b'torch', STORAGES[array.dtype.str[1:]]),
      string(key), string('cpu'), integer(array.size), *more,
  ) + b'Q'


def tensor(stored, offset, shape, strides):
  return named(b'torch._utils', b'_rebuild_tensor_v2') + row(
      stored, integer(offset), row(*map(integer, shape)),
      row(*map(integer, strides)), b'\x89', ORDERED,
  ) + b'R'


def state_dict(entries):
  """An OrderedDict with the attribute that modules give theirs."""
  items = b''.join(string(name) + value for name, value in entries.items())
  attributes = b'}(' + string('_metadata') + ORDERED + b'u'
  return ORDERED + b'(' + items + b'u' + attributes + b'b'


def stored(arrays, *more):
  """(entries, storages): every second array lies transposed in its storage,
  behind a number that is not its own.
  """
  entries, storages = {}, {}
  for i, (name, array) in enumerate(arrays.items()):
    key, turn = str(i), i % 2
    flat = (array.T if turn else array).ravel()
    storages[key] = np.concatenate([np.full(turn, 7, array.dtype), flat])
    strides = np.cumprod((1, *(array.shape if turn else array.shape[::-1])))
    strides = strides[:-1] if turn else strides[:-1][::-1]
    entries[name] = tensor(
        storage(key, storages[key], *more), turn, array.shape,
        map(int, strides),
    )
  return entries, storages


def zip_pth(path, content, storages=()):
  """What torch.save writes since 1.6."""
  with zipfile.ZipFile(path, 'w') as archive:
    archive.writestr('archive/data.pkl', content)
    archive.writestr('archive/byteorder', 'little')
    for key, numbers in dict(storages).items():
      archive.writestr(f'archive/data/{key}', numbers.tobytes())


def write_pth(path, arrays):
  entries, storages = stored(arrays)
  zip_pth(path, program(state_dict(entries)), storages)


def write_legacy_pth(path, arrays):
  """What torch.save wrote before 1.6."""
  entries, storages = stored(arrays, b'N')
  path.write_bytes(b''.join([
      pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2),
      pickle.dumps({'protocol_version': 1001, 'little_endian': True}, 2),
      program(state_dict(entries)), pickle.dumps(sorted(storages), 2),
      *(struct.pack('<q', storages[key].size) + storages[key].tobytes()
        for key in sorted(storages)),
  ]))


def write_safetensors(path, arrays, kind='F32'):
  header, content = {'__metadata__': {'format': 'pt'}}, b''
  for name, array in arrays.items():
    data = array.astype({'F32': '<f4', 'F64': '<f8'}[kind]).tobytes()
    header[name] = {
        'dtype': kind, 'shape': array.shape,
        'data_offsets': [len(content), len(content) + len(data)],
    }
    content += data
  text = json.dumps(header).encode()
  path.write_bytes(struct.pack('<Q', len(text)) + text + content)


def write_h5(path, arrays, age=3):
  """LAYER/kernel and LAYER/bias, as Keras of some age keeps them."""
  with h5py.File(path, 'w') as file:
    for i, (name, array) in enumerate(arrays.items()):
      layer, part = name.split('/')
      if age == 3:
        group = file.require_group(f'layers/conv2d_{i // 2}/vars')
        group.attrs['name'] = layer
        group[str(i % 2)] = array
      elif age == 2:
        file[f'{layer}/{layer}/{part}:0'] = array
      else:
        file[f'{layer}/{layer}_{"W" if part == "kernel" else "b"}_1:0'] = array


def write_npz(path, arrays):
  np.savez(path, **arrays)
