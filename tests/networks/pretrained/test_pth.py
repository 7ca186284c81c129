"""What a .pth file may hold, and what it may not."""

import pickle
import struct

import numpy as np
import pytest
from weight_files import (
    integer,
    named,
    program,
    row,
    state_dict,
    storage,
    stored,
    string,
    tensor,
    write_legacy_pth,
    write_pth,
    zip_pth,
)

from adseg_jax.errors import UserError
from adseg_jax.networks.pretrained.readers import read

ARRAYS = {
    'a.weight': np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    'a.bias': np.arange(6, dtype=np.float16).reshape(2, 3),
    'count': np.array(7, np.int64),
    'none': np.zeros((0, 3), np.float32),
}


@pytest.mark.parametrize('write', [write_pth, write_legacy_pth])
def test_tensors_come_back_as_they_were(write, tmp_path):
  """Of several types, one of them transposed in its storage."""
  write(tmp_path / 'a.pth', ARRAYS)
  arrays = read(tmp_path / 'a.pth')
  assert arrays.keys() == ARRAYS.keys()
  for name, array in ARRAYS.items():
    assert arrays[name].dtype == array.dtype
    np.testing.assert_array_equal(arrays[name], array)


def shell(target):
  """A pickle that calls os.system, as an attacker would put it."""
  return named(b'os', b'system') + row(string(f'touch {target}')) + b'R'


def refused(path):
  with pytest.raises(UserError) as caught:
    read(path)
  message = str(caught.value)
  assert message.startswith(f'{path}: ') and '\n' not in message
  return message.removeprefix(f'{path}: ')


def as_zip(path, call):
  zip_pth(path, program(call))


def within_a_state_dict(path, call):
  entries, storages = stored(ARRAYS)
  zip_pth(path, program(state_dict(entries | {'more': call})), storages)


def as_legacy_magic(path, call):
  path.write_bytes(program(call))


def as_legacy_state(path, call):
  path.write_bytes(b''.join([
      pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2),
      pickle.dumps({'little_endian': True}, 2), program(call),
  ]))


@pytest.mark.parametrize('hide', [
    as_zip, within_a_state_dict, as_legacy_magic, as_legacy_state,
])
def test_a_malicious_pickle_is_refused_and_does_not_run(hide, tmp_path):
  target = tmp_path / 'harm'
  # The attack is a real one: trusted, it runs.
  pickle.loads(program(shell(target)))
  target.unlink()
  hide(tmp_path / 'a.pth', shell(target))
  message = refused(tmp_path / 'a.pth')
  assert message.startswith('names os.system, which is no tensor: refused')
  assert not target.exists()


@pytest.mark.parametrize('module,name', [
    (b'builtins', b'eval'), (b'builtins', b'getattr'),
    (b'torch', b'load'), (b'torch._utils', b'_rebuild_tensor_v2.__globals__'),
    (b'collections', b'OrderedDict.__init__'), (b'argparse', b'Namespace'),
    (b'torch.storage', b'_load_from_bytes'), (b'numpy', b'load'),
])
def test_only_the_exact_names_are_admitted(module, name, tmp_path):
  zip_pth(tmp_path / 'a.pth', program(named(module, name)))
  message = refused(tmp_path / 'a.pth')
  assert message.startswith(f'names {module.decode()}.{name.decode()}, which')


def test_attributes_set_by_one_pickle_do_not_reach_the_next(tmp_path):
  """BUILD sets attributes of what a pickle names."""
  build = (
      named(b'torch._utils', b'_rebuild_tensor_v2')
      + b'N}(' + string('__defaults__') + row(integer(1)) + b'u\x86b'
  )
  entries, storages = stored(ARRAYS)
  zip_pth(
      tmp_path / 'a.pth',
      program(state_dict(entries | {'more': build})), storages,
  )
  read(tmp_path / 'a.pth')
  write_pth(tmp_path / 'b.pth', ARRAYS)
  np.testing.assert_array_equal(
      read(tmp_path / 'b.pth')['a.weight'], ARRAYS['a.weight']
  )


@pytest.mark.parametrize('offset,shape,strides', [
    (0, (5,), (1,)), (2, (3,), (1,)), (-1, (2,), (1,)), (3, (2,), (-1,)),
    (0, (2, 2), (3, 1)), (0, (2,), (2**31 - 1,)), (0, (-2, -2), (1, 1)),
    (0, (2, 2), (1,)),
])
def test_a_view_must_stay_in_its_storage(offset, shape, strides, tmp_path):
  numbers = np.arange(4, dtype=np.float32)
  view = tensor(storage('0', numbers), offset, shape, strides)
  zip_pth(
      tmp_path / 'a.pth', program(state_dict({'a': view})), {'0': numbers}
  )
  assert refused(tmp_path / 'a.pth') == (
      'cannot be read as .pth (ValueError): fetch it again, or give another '
      'file'
  )


@pytest.mark.parametrize('content', [
    integer(3), b']', row(string('a')), b'}',
    b'}(' + string('epoch') + integer(3) + b'u',
])
def test_what_is_no_state_dict(content, tmp_path):
  zip_pth(tmp_path / 'a.pth', program(content))
  assert refused(tmp_path / 'a.pth').startswith('holds no state dict: ')


@pytest.mark.parametrize('write', [write_pth, write_legacy_pth])
@pytest.mark.parametrize('part', [0, 0.01, 0.3, 0.6, 0.99])
def test_a_file_cut_short_is_one_line(write, part, tmp_path):
  path = tmp_path / 'a.pth'
  write(path, ARRAYS)
  content = path.read_bytes()
  path.write_bytes(content[:int(part * len(content))])
  assert 'cannot be read as .pth' in refused(path)


def test_a_storage_of_another_length_is_refused(tmp_path):
  entries, storages = stored({'a': np.arange(4, dtype=np.float32)})
  zip_pth(tmp_path / 'a.pth', program(state_dict(entries)),
          {'0': storages['0'][:3]})
  assert 'cannot be read' in refused(tmp_path / 'a.pth')


def test_a_pickle_of_something_else_was_not_saved_by_pytorch(tmp_path):
  (tmp_path / 'a.pth').write_bytes(pickle.dumps({'a': 1}, 2))
  assert refused(tmp_path / 'a.pth') == 'was not saved by PyTorch'


def test_big_endian_numbers_are_refused(tmp_path):
  path = tmp_path / 'a.pth'
  write_legacy_pth(path, ARRAYS)
  content = path.read_bytes()
  little = pickle.dumps(
      {'protocol_version': 1001, 'little_endian': True}, 2
  )
  big = pickle.dumps({'protocol_version': 1001, 'little_endian': False}, 2)
  assert little in content
  path.write_bytes(content.replace(little, big))
  assert 'big-endian' in refused(path)


def test_bfloat16(tmp_path):
  bits = np.array([0x3F80, 0xC000, 0x3E20], np.uint16)  # 1, -2, 0.15625
  kept = row(
      string('storage'), named(b'torch', b'BFloat16Storage'), string('0'),
      string('cpu'), integer(3),
  ) + b'Q'
  zip_pth(
      tmp_path / 'a.pth',
      program(state_dict({'a': tensor(kept, 0, (3,), (1,))})), {'0': bits},
  )
  array = read(tmp_path / 'a.pth')['a']
  np.testing.assert_array_equal(array.astype('f4'), [1, -2, 0.15625])
  assert struct.unpack('<3H', array.tobytes()) == tuple(bits)
