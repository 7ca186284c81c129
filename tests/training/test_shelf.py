import os
import time

import jax
import pytest

from adseg_jax.training import shelf
from adseg_jax.training.shelf import Shelf


def test_what_was_put_is_there(tmp_path):
  one = Shelf(tmp_path / 'not' / 'yet')
  assert one.get('name') is None
  one.put('name', b'content')
  one.put('other', b'')
  assert Shelf(tmp_path / 'not' / 'yet').get('name') == b'content'
  assert one.get('other') == b''
  one.put('name', b'new')
  assert one.get('name') == b'new'


@pytest.mark.parametrize('damage', [
    lambda content: content[:-1], lambda content: content + b'x',
    lambda content: b'', lambda content: content[:-1] + b'x',
])
def test_what_is_damaged_is_not_there(tmp_path, damage):
  one = Shelf(tmp_path)
  one.put('name', b'content')
  path = tmp_path / 'name'
  path.write_bytes(damage(path.read_bytes()))
  assert one.get('name') is None


def test_what_was_not_used_for_a_month_goes(tmp_path):
  one = Shelf(tmp_path)
  long_ago = time.time() - shelf.MONTH - 60
  for name in 'used', 'idle':
    one.put(name, b'content')
  for name in 'used', 'idle':
    os.utime(tmp_path / name, (long_ago, long_ago))
  one.get('used')
  one.put('new', b'content')
  assert sorted(path.name for path in tmp_path.iterdir()) == ['new', 'used']


def test_a_folder_that_cannot_be_written_is_no_mistake(tmp_path):
  (tmp_path / 'file').write_text('')
  one = Shelf(tmp_path / 'file' / 'folder')
  one.put('name', b'content')
  assert one.get('name') is None


def test_a_folder_that_can_only_be_read_is_read(tmp_path, monkeypatch):
  one = Shelf(tmp_path)
  one.put('name', b'content')

  def refuse(_):
    raise PermissionError

  monkeypatch.setattr(os, 'utime', refuse)
  assert one.get('name') == b'content'


def test_it_lies_in_a_folder_of_this_machine_only():
  before = {
      name: jax.config.values[name]
      for name in ('jax_enable_compilation_cache', 'jax_compilation_cache_dir')
  }
  try:
    jax.config.update('jax_enable_compilation_cache', True)
    for place, there in ('folder', True), ('gs://bucket', False):
      jax.config.update('jax_compilation_cache_dir', place)
      assert bool(shelf.beside_jax()) == there
  finally:
    for name, value in before.items():
      jax.config.update(name, value)
