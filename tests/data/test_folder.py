import dataclasses
import itertools

import layouts
import numpy as np
import pytest

from adseg_jax.config import Data
from adseg_jax.data import examples
from adseg_jax.data.check import check
from adseg_jax.data.dataset import find
from adseg_jax.data.originals import refuse
from adseg_jax.data.pictures import decode
from adseg_jax.errors import UserError

COLOURS = [(0, 0, 255), (128, 64, 128), (0, 0, 0)]
COLOURED = 'sky 0 0 255\nroad, 128, 64, 128\nvoid\t0 0 0\n'


@pytest.fixture
def data(tmp_path):
  return Data(
      name='folder', root=str(tmp_path / 'mine'),
      prepared=str(tmp_path / 'prepared'),
  )


def names(data):
  splits = find(data).originals(data).splits
  return {split: [r.name for r in records] for split, records in splits.items()}


def labels(data):
  """Class ids of the labels, as they are read before anything is prepared."""
  originals = find(data).originals(data)
  return [
      originals.read_label(record.label).ids
      for records in originals.splits.values() for record in records
  ]


def refusal(data):
  """What is wrong with the list of files, before any is read."""
  with pytest.raises(UserError) as info:
    refuse('folder', find(data).originals(data).wrong())
  assert '\n' not in str(info.value)
  return str(info.value)


def fault(data):
  """What is wrong with the first file."""
  return check(find(data), data).faults[0].detail


def test_classes_and_their_order_come_from_the_file(data, tmp_path):
  layouts.folder(tmp_path / 'mine', classes='void\nsky blue\n\nroad\n')
  found = find(data)
  assert found.classes == ('sky blue', 'road')
  assert len(set(found.palette)) == 2
  np.testing.assert_array_equal(labels(data)[0], layouts.ids([255, 0, 1]))


@pytest.mark.parametrize('kind', ['colour', 'palette', 'grey'])
def test_labels_of_every_kind_are_the_same(data, tmp_path, kind):
  write = {
      'colour': lambda a, path: layouts.coloured(a, path, COLOURS),
      # The palette says which class an index is: here the reverse.
      'palette': lambda a, path: layouts.paletted(2 - a, path, COLOURS[::-1]),
      'grey': layouts.grey,
  }[kind]
  layouts.folder(tmp_path / 'mine', classes=COLOURED, label=write)
  found = find(data)
  assert found.classes == ('sky', 'road')
  assert found.palette == ((0, 0, 255), (128, 64, 128))
  for label in labels(data):
    np.testing.assert_array_equal(label, layouts.ids([0, 1, 255]))


def test_share_that_validates_is_fixed_by_the_names(data, tmp_path):
  layouts.folder(tmp_path / 'mine')
  train, validation = names(data).values()
  assert len(train) == 8 and len(validation) == 2
  assert sorted(train + validation) == [f'n{i}' for i in range(10)]
  layouts.folder(tmp_path / 'other')
  again = dataclasses.replace(data, root=str(tmp_path / 'other'))
  assert names(again)['validation'] == validation
  half = dataclasses.replace(data, held_out=0.5)
  assert set(validation) < set(names(half)['validation'])


def test_lists_decide_the_splits(data, tmp_path):
  root = layouts.folder(tmp_path / 'mine')
  for split, lines in {
      'train': 'n1\nn3.jpg\n', 'validation': 'n2\n', 'test': 'n0\n\nn4\n'
  }.items():
    (root / f'{split}.txt').write_text(lines)
  (root / 'labels/n9.png').unlink()  # no list names it
  assert find(data).test == 'test'
  assert names(data) == {
      'train': ['n1', 'n3'], 'validation': ['n2'], 'test': ['n0', 'n4']
  }


@pytest.mark.parametrize('lists, text', [
    ({'train': 'n1', 'validation': 'n1'}, 'n1: in train.txt and validation'),
    ({'train': 'n1', 'validation': 'n77'}, 'n77: validation.txt, line 1'),
    ({'train': 'n1'}, 'give train.txt and validation.txt'),
    ({'train': 'n1', 'validation': ''}, 'splits without an example (1): vali'),
])
def test_wrong_lists_are_refused(data, tmp_path, lists, text):
  root = layouts.folder(tmp_path / 'mine')
  for split, lines in lists.items():
    (root / f'{split}.txt').write_text(lines)
  assert text in refusal(data)


def test_nested_folders_and_other_formats(data, tmp_path):
  root = layouts.folder(tmp_path / 'mine', count=2)
  layouts.save(layouts.photo(5), root / 'images/day/x.tif')
  layouts.grey(layouts.ids([1]), root / 'labels/day/x.png')
  assert sorted(itertools.chain(*names(data).values())) == [
      'day/x', 'n0', 'n1'
  ]
  # Not a format that TensorFlow reads: kept without loss as PNG.
  found = check(find(data), data)
  image, = (one.image for one in found.samples if one.name == 'day/x')
  np.testing.assert_array_equal(
      decode(image, 'RGB'), np.asarray(layouts.photo(5))
  )


def test_missing_parts_are_listed(data, tmp_path):
  (tmp_path / 'mine/images').mkdir(parents=True)
  (tmp_path / 'mine/classes.txt').write_text('a\nb\n')
  assert f'missing in {tmp_path / "mine"}: labels;' in refusal(data)


@pytest.mark.parametrize('classes, label, text', [
    ('sky\nroad\n', layouts.grey, 'id 2, but classes.txt has 2 lines'),
    ('sky\nroad\nvoid\n', lambda a, path: layouts.coloured(a, path, COLOURS),
     'classes.txt has no colours'),
    ('sky 0 0 255\nroad 9 9 9\n',
     lambda a, path: layouts.coloured(a, path, COLOURS),
     'colour (0, 0, 0) and 1 more, which no class has in classes.txt'),
])
def test_labels_that_the_classes_do_not_explain(
    data, tmp_path, classes, label, text
):
  layouts.folder(tmp_path / 'mine', classes=classes, label=label)
  assert text in fault(data)


def test_black_and_white_masks_are_a_trap(data, tmp_path):
  layouts.folder(
      tmp_path / 'mine', classes='background\nobject\n',
      label=lambda a, path: layouts.grey(np.where(a == 2, 255, 0), path),
  )
  assert '255 is void: store the class object as 1' in fault(data)


def test_images_without_labels_are_named(data, tmp_path):
  root = layouts.folder(tmp_path / 'mine')
  for index in range(7):
    (root / f'labels/n{index}.png').unlink()
  message = refusal(data)
  assert 'images without a label (7): images/n0.jpg' in message
  assert 'and 2 more' in message


def test_order_of_classes_is_part_of_what_is_prepared(data, tmp_path):
  root = layouts.folder(tmp_path / 'mine')
  for text, values in (
      ('sky\nroad\nvoid\n', [0, 1, 255]), ('void\nsky\nroad\n', [255, 0, 1]),
  ):
    (root / 'classes.txt').write_text(text)
    label = examples.load(find(data), 'train', data).labels[0]
    np.testing.assert_array_equal(decode(label, 'L'), layouts.ids(values))
