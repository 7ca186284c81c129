import os
import sys

import layouts
import numpy as np
import pytest

from adseg_jax.commands import cli
from adseg_jax.config import Data
from adseg_jax.data import examples
from adseg_jax.data.copies import copies, place
from adseg_jax.data.dataset import find
from adseg_jax.data.pictures import decode
from adseg_jax.errors import UserError


@pytest.fixture
def data(tmp_path):
  layouts.folder(tmp_path / 'mine')
  return Data(
      name='folder', root=str(tmp_path / 'mine'), prepared=str(tmp_path / 'p')
  )


def load(data):
  return examples.load(find(data), 'train', data)


def adseg(monkeypatch, *arguments):
  monkeypatch.setattr(sys, 'argv', ['adseg', *map(str, arguments)])
  with pytest.raises(SystemExit) as info:
    cli.main()
  return info.value.code


def test_a_copy_follows_the_content_not_the_time(data, tmp_path):
  """A label is corrected; its size and time stay what they were."""
  first = load(data)
  path = tmp_path / 'mine/labels' / f'{first.names[0]}.png'
  stat = path.stat()
  layouts.grey(layouts.ids([1, 0, 2]), path)
  if path.stat().st_size != stat.st_size:
    path.write_bytes(path.read_bytes().ljust(stat.st_size, b'\0'))
  os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
  label = decode(load(data).labels[0], 'L')
  np.testing.assert_array_equal(label, layouts.ids([1, 0, 255]))
  for path in (tmp_path / 'mine').rglob('*.png'):
    os.utime(path, (0, 0))
  load(data)
  assert len(copies(tmp_path / 'p')) == 2


def test_a_moved_folder_keeps_its_copy(data, tmp_path, capsys):
  load(data)
  said = capsys.readouterr().out.splitlines()
  assert said[0].startswith('2 classes, void is line 3; pixels are read as')
  where = f'Prepared copy of data set folder: {tmp_path}/p/folder'
  assert said[1].startswith(where)
  (tmp_path / 'mine').rename(tmp_path / 'moved')
  load(Data(
      name='folder', root=str(tmp_path / 'moved'), prepared=data.prepared
  ))
  assert not capsys.readouterr().out
  copy, = copies(tmp_path / 'p')
  assert copy.root == str(tmp_path / 'mine') and copy.said[0] == said[0]


def test_copies_are_listed_and_cleared(data, tmp_path, monkeypatch, capsys):
  load(data)
  (tmp_path / 'mine/classes.txt').write_text('road\nsky\nvoid\n')
  load(data)
  broken = tmp_path / 'p/folder/abc/1.2.0.incompleteXYZ'
  broken.mkdir(parents=True)
  foreign = tmp_path / 'p/mnist/1.0.0'
  foreign.mkdir(parents=True)
  (foreign / 'dataset_info.json').write_text('{}')
  capsys.readouterr()
  options = ['--data.prepared', tmp_path / 'p']
  assert adseg(monkeypatch, 'data', *options) == 0
  text = capsys.readouterr().out
  assert text.count(f'from {tmp_path / "mine"}') == 2
  assert text.count('not finished') == 1 and '3 prepared copies' in text
  assert 'mnist' not in text and 'pixels are read as ids' in text
  status = adseg(monkeypatch, 'data', *options, '--clear', 'no')
  assert '--clear no: no prepared copy' in status
  whole = [copy for copy in copies(tmp_path / 'p') if copy.whole]
  digest = whole[0].name.split('/')[1]
  assert adseg(monkeypatch, 'data', *options, '--clear', digest) == 0
  assert 'Deleted 1 prepared copies' in capsys.readouterr().out
  assert len(copies(tmp_path / 'p')) == 2 and not whole[0].path.exists()
  assert adseg(monkeypatch, 'data', *options, '--clear', 'folder') == 0
  assert not (tmp_path / 'p/folder').exists() and foreign.exists()
  capsys.readouterr()
  assert adseg(monkeypatch, 'data', *options) == 0
  assert capsys.readouterr().out.startswith('No prepared copies in')
  assert (tmp_path / 'mine/images/n0.jpg').exists()


def test_where_copies_lie(monkeypatch, tmp_path):
  monkeypatch.setenv('TFDS_DATA_DIR', '/somewhere')
  assert str(place()) == '/somewhere' and str(place('/p')) == '/p'
  monkeypatch.delenv('TFDS_DATA_DIR')
  monkeypatch.setenv('HOME', str(tmp_path))
  assert place() == tmp_path / 'tensorflow_datasets'


def test_without_a_home_copies_need_a_place(monkeypatch, tmp_path):
  monkeypatch.delenv('TFDS_DATA_DIR', raising=False)
  monkeypatch.setattr(os.path, 'expanduser', lambda path: path)
  with pytest.raises(UserError, match=r'no home folder here: .*--data.prepar'):
    examples.load(find(Data(name='earth')), 'train', Data(name='earth'))
  assert place(str(tmp_path)) == tmp_path
