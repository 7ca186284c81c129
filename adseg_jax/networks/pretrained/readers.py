"""Files of weights, as flat dicts of arrays: one reader a format.

The safetensors format is eight bytes, JSON and raw numbers: reading it takes
fewer lines than a further compiled dependency would cost.
"""

import json
from pathlib import Path

import ml_dtypes
import numpy as np

from adseg_jax.errors import UserError
from adseg_jax.networks.pretrained import pth

# Little-endian, as the format prescribes.
SAFETENSORS = {
    'F64': '<f8', 'F32': '<f4', 'F16': '<f2', 'BF16': ml_dtypes.bfloat16,
    'I64': '<i8', 'I32': '<i4', 'I16': '<i2', 'I8': 'i1', 'U8': 'u1',
    'BOOL': '?',
}


def read(path: Path) -> dict[str, np.ndarray]:
  """All arrays of a file, by their names in it; its ending tells the format.

  Raises:
    UserError: no such format, missing or broken.
  """
  if path.suffix not in READERS:
    raise UserError(
        f'{path}: not a known format: give a file that ends in '
        + ', '.join(READERS)
    )
  try:
    return READERS[path.suffix](path)
  except UserError as error:
    raise UserError(f'{path}: {error}') from error
  except Exception as error:  # A broken file can end in any of many kinds.
    raise UserError(
        f'{path}: cannot be read as {path.suffix} ({type(error).__name__}): '
        'fetch it again, or give another file'
    ) from error


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
  """Format: length of the header in 8 bytes, header in JSON, numbers."""
  content = np.memmap(path, np.uint8, 'r')
  length = int(content[:8].view('<u8')[0])
  header = json.loads(content[8:8 + length].tobytes())
  header.pop('__metadata__', None)
  numbers = content[8 + length:]
  return {
      name: numbers[slice(*entry['data_offsets'])]
      .view(SAFETENSORS[entry['dtype']]).reshape(entry['shape'])
      for name, entry in header.items()
  }


def read_npz(path: Path) -> dict[str, np.ndarray]:
  """Arrays only: what would need a pickle is refused."""
  with np.load(path, allow_pickle=False) as archive:
    return dict(archive)


def read_h5(path: Path) -> dict[str, np.ndarray]:
  """Keras files of any age, as LAYER/kernel and LAYER/bias.

  A layer's name is an attribute of the group that holds its numbers (Keras 3),
  or that group's own name (Keras 1 and 2).

  Raises:
    UserError: numbers lie in other files: such a file could have any file of
      this machine read as weights.
  """
  import h5py

  arrays = {}

  def leads_out(name, link):
    return name if isinstance(link, h5py.ExternalLink) else None

  def lies_outside(name, item):
    data = isinstance(item, h5py.Dataset)
    return name if data and (item.external or item.is_virtual) else None

  def visit(name, item):
    if isinstance(item, h5py.Dataset) and not name.startswith('optimizer'):
      group = item.parent
      layer = group.attrs.get('name', group.name.rpartition('/')[2])
      part = 'kernel' if item.ndim > 1 else 'bias'
      arrays[f'{layer}/{part}'] = item[()]

  with h5py.File(path, 'r') as file:
    outside = file.visititems_links(leads_out) or file.visititems(lies_outside)
    if outside:
      raise UserError(
          f'{outside!r} lies in another file: give a file that holds all its '
          'numbers'
      )
    file.visititems(visit)
  return arrays


READERS = {
    '.safetensors': read_safetensors,
    '.pth': pth.read,
    '.h5': read_h5,
    '.npz': read_npz,
}
