import itertools
import os

import layouts
import pytest

from adseg_jax.config import Data
from adseg_jax.data import shares
from adseg_jax.errors import UserError

NAMES = tuple(f'image/{index:03}' for index in range(80))


def kept(labelled, seed=0, names=NAMES):
  return {names[place] for place in shares.kept(names, labelled, seed)}


def test_all_keep_their_labels():
  assert shares.kept(NAMES, 1.0, 0) == [*range(80)]


@pytest.mark.parametrize('seed', [0, 1, 2**32 - 1])
def test_a_smaller_share_is_among_a_larger(seed):
  found = [kept(share, seed) for share in (2, 1 / 8, 0.25, 40, 0.9, 1.0)]
  assert [*map(len, found)] == [2, 10, 20, 40, 72, 80]
  for smaller, larger in itertools.pairwise(found):
    assert smaller < larger


def test_each_seed_has_a_share_of_its_own():
  found = [kept(0.25, seed) for seed in range(40)]
  assert len({*map(frozenset, found)}) == 40
  # Each name in a quarter of them, by chance: 10, deviation 2.7.
  counts = [sum(name in one for one in found) for name in NAMES]
  assert min(counts) >= 1 and max(counts) <= 21 and sum(counts) == 800


def test_it_does_not_depend_on_order_nor_on_what_is_not_drawn():
  assert kept(0.25, names=NAMES[::-1]) == kept(0.25)
  fewer = tuple(name for name in NAMES if name in kept(0.5))
  assert kept(20, names=fewer) == kept(20)


def test_places_are_in_order():
  places = shares.kept(NAMES, 0.5, 0)
  assert places == sorted(places)


@pytest.mark.parametrize('labelled,words', [
    (0.006, r'0\.006: of 80 training images, that is none: give 0\.013 to 1, '
     'or 2 to 80'), (81, 'is 81: .* more than all'), (1e6, 'more than all'),
])
def test_a_share_that_leaves_none_is_refused(labelled, words):
  with pytest.raises(UserError, match=words):
    shares.kept(NAMES, labelled, 0)


def test_half_an_image_is_one():
  assert len(shares.kept(NAMES[:4], 1 / 8, 0)) == 1


def photographs(root):
  for name in ('b.png', 'a/c.JPG', 'a.jpeg', '.hidden/d.png'):
    layouts.save(layouts.photo(), root / name)
  (root / 'notes.txt').write_text('nothing')
  return root


def test_images_below_a_folder(tmp_path):
  found = shares.pictures(str(photographs(tmp_path)))
  assert [*found] == ['a', 'a/c', 'b']
  assert found['a/c'] == tmp_path / 'a/c.JPG'
  assert [*shares.pictures(str(tmp_path), limit=2)] == ['a', 'a/c']
  assert shares.pictures('') == {}


def test_a_home_folder_is_found(tmp_path, monkeypatch):
  monkeypatch.setitem(os.environ, 'HOME', str(tmp_path))
  photographs(tmp_path / 'more')
  assert len(shares.pictures('~/more')) == 3


def test_a_folder_without_images_is_refused(tmp_path):
  with pytest.raises(UserError, match=r'unlabelled .*gone: no such folder'):
    shares.pictures(str(tmp_path / 'gone'))
  (tmp_path / 'notes.txt').write_text('nothing')
  for place in tmp_path, tmp_path / 'notes.txt':
    with pytest.raises(UserError, match=r'holds no image|no such folder'):
      shares.pictures(str(place))


def test_two_images_of_one_name_are_refused(tmp_path):
  for name in ('a.png', 'a.jpg'):
    layouts.save(layouts.photo(), tmp_path / name)
  with pytest.raises(UserError, match=r'names that two files share: .*a'):
    shares.pictures(str(tmp_path))


def test_images_with_labels_do_not_come_again_without():
  with pytest.raises(UserError, match='split train: that is the training'):
    shares.check(Data(unlabelled_split='train'), 'train')
  shares.check(Data(unlabelled_split='more'), 'train')
