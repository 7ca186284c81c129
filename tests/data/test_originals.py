import os
import unicodedata

import pytest

from adseg_jax.config import Data
from adseg_jax.data import originals
from adseg_jax.data.dataset import Source, limited, shorten
from adseg_jax.data.originals import Fault, Originals, Record
from adseg_jax.errors import UserError

SOURCE = Source('https://a.b', 'free', 'images/ and labels/')


@pytest.fixture
def listed(tmp_path):
  """Two examples in two splits, whose files hold their names."""
  records = []
  for name in ('a', 'b'):
    paths = [tmp_path / kind / f'{name}.png' for kind in ('images', 'labels')]
    for path in paths:
      path.parent.mkdir(exist_ok=True)
      path.write_text(name)
    records.append(Record(name, *paths))
  splits = {'train': (records[0],), 'validation': (records[1],)}
  return Originals(tmp_path, splits, None)


def test_digest_changes_with_a_file_the_splits_and_options(listed):
  first = listed.digest()
  assert listed.digest() == first and len(first) == 12
  others = {first, Originals(
      listed.root, listed.splits, None, options='void'
  ).digest(), Originals(
      listed.root, dict(zip(listed.splits, (
          listed.splits['validation'], listed.splits['train']
      ), strict=True)), None
  ).digest()}
  label = listed.splits['train'][0].label
  label.write_text('longer')
  others.add(listed.digest())
  label.write_text('b')
  others.add(listed.digest())
  assert len(others) == 5


def test_digest_is_of_contents_not_of_times(listed, tmp_path):
  first = listed.digest()
  label = listed.splits['train'][0].label
  stat = label.stat()
  os.utime(label, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
  assert listed.digest() == first
  label.write_text('c')  # as long as before, and as old
  os.utime(label, ns=(stat.st_atime_ns, stat.st_mtime_ns))
  assert listed.digest() != first
  other = tmp_path / 'other.png'
  other.write_text('x')
  decided = Originals(
      listed.root, listed.splits, None, deciding=(label, other)
  )
  before = decided.digest()
  other.write_text('y')
  assert decided.digest() != before


def test_walk_follows_links_once_and_leaves_litter_out(tmp_path):
  root = tmp_path / 'root'
  for name in (
      'a.png', '.b.png', 'Thumbs.db', '__MACOSX/._a.png',
      '.ipynb_checkpoints/a-checkpoint.png', 'sub/c.png',
  ):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text('')
  (tmp_path / 'far').mkdir()
  (tmp_path / 'far/d.png').write_text('')
  (root / 'link').symlink_to(tmp_path / 'far')
  (root / 'sub/round').symlink_to(root)
  (root / 'gone.png').symlink_to(tmp_path / 'nothing')
  files, odd = originals.walk(root)
  assert [str(path.relative_to(root)) for path in files] == [
      'a.png', 'link/d.png', 'sub/c.png'
  ]
  assert [str(path.relative_to(root)) for path in odd] == [
      '.b.png', '.ipynb_checkpoints', 'Thumbs.db', '__MACOSX', 'gone.png'
  ]


def test_what_cannot_be_read_is_named(listed, tmp_path, monkeypatch):
  def refuse(self, *arguments):
    raise PermissionError(13, 'Permission denied', str(self))

  def deny(path):
    raise PermissionError(13, 'Permission denied', str(path))

  monkeypatch.setattr(type(tmp_path), 'open', refuse)
  with pytest.raises(UserError, match=r'a\.png: cannot be read \(Permission'):
    listed.digest()
  monkeypatch.setattr(os, 'scandir', deny)
  with pytest.raises(UserError, match='cannot be read'):
    originals.walk(tmp_path)


def test_names_of_a_mac_are_joined(tmp_path):
  (tmp_path / unicodedata.normalize('NFD', 'é.png')).write_text('')
  assert list(originals.listing(tmp_path, ('.png',))[0]) == ['é']


def test_empty_splits_are_wrong(listed):
  empty = Originals(listed.root, listed.splits | {'test': ()}, None)
  assert listed.wrong() == ()
  assert [fault.where for fault in empty.wrong()] == ['test']


def test_limit_spreads_evenly():
  assert limited(range(10), 4) == [0, 2, 5, 7]
  assert limited([1, 2], 4) == limited([1, 2], 0) == [1, 2]


def test_long_lists_are_shortened():
  assert shorten('abc') == 'a, b, c'
  assert shorten(range(8)) == '0, 1, 2, 3, 4 and 3 more'


def test_root_comes_from_the_option_then_from_the_environment(
    tmp_path, monkeypatch
):
  for folder in ('one/images', 'two/inner/images'):
    (tmp_path / folder).mkdir(parents=True)
  monkeypatch.setenv('ADSEG_DATA', str(tmp_path / 'two'))

  def found(root=''):
    return originals.find_root(
        Data(root=root), 'x', SOURCE, ('images',), ('.', 'inner')
    )

  assert found() == tmp_path / 'two/inner'
  assert found(str(tmp_path / 'one')) == tmp_path / 'one'


def test_no_root_says_where_to_get_the_files(monkeypatch):
  monkeypatch.delenv('ADSEG_DATA', raising=False)
  with pytest.raises(UserError) as info:
    originals.find_root(Data(), 'x', SOURCE, ())
  for part in ('--data.root', 'ADSEG_DATA', 'https://a.b', 'free', 'images/'):
    assert part in str(info.value)
  assert '\n' not in str(info.value)


def test_what_is_missing_is_listed(tmp_path):
  (tmp_path / 'images').mkdir()
  with pytest.raises(UserError) as info:
    originals.find_root(
        Data(root=str(tmp_path)), 'x', SOURCE, ('images', 'labels', 'list.txt')
    )
  assert f'missing in {tmp_path}: labels, list.txt;' in str(info.value)


def test_listing_leaves_out_hidden_and_foreign_files(tmp_path):
  for name in ('a.JPG', 'sub/b.png', '.c.png', '._a.jpg', 'note.txt'):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('')
  found, faults = originals.listing(tmp_path, originals.IMAGES)
  assert sorted(found) == ['a', 'sub/b'] and not faults
  (tmp_path / 'a.png').write_text('')
  assert len(originals.listing(tmp_path, originals.IMAGES)[1]) == 1


def test_pairs_and_what_is_left_over(tmp_path):
  images = {name: tmp_path / 'i' / f'{name}.jpg' for name in 'abc'}
  masks = {name: tmp_path / 'l' / f'{name}.png' for name in 'bcd'}
  records, faults = originals.pair(images, masks, tmp_path)
  assert [record.name for record in records] == ['b', 'c']
  assert records[0] == Record('b', images['b'], masks['b'])
  assert faults == [
      Fault(originals.NO_LABEL, 'i/a.jpg'), Fault(originals.NO_IMAGE, 'l/d.png')
  ]


def test_refusal_is_one_line_about_the_first_kind():
  faults = [Fault('odd', str(i)) for i in range(9)] + [Fault('even', 'z', 'd')]
  for wanted, part in (
      ('odd (9): 0, 1, 2, 3, 4 and 4 more; `adseg data check x`', faults),
      ('data set x, z: d; `adseg data check x`', faults[9:]),
  ):
    with pytest.raises(UserError) as info:
      originals.refuse('x', part)
    assert wanted in str(info.value) and '\n' not in str(info.value)
  originals.refuse('x', [])
