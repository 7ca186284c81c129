import dataclasses
import io
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from adseg_jax.config import Data
from adseg_jax.data import examples, pictures
from adseg_jax.data.check import check
from adseg_jax.data.dataset import Dataset
from adseg_jax.errors import UserError


class Tiny(tfds.core.GeneratorBasedBuilder):
  VERSION = tfds.core.Version('1.0.0')

  def __init__(self, splits, data_dir):
    self.splits = splits
    super().__init__(data_dir=data_dir)

  def _info(self):
    features = tfds.features.FeaturesDict({
        'image': tfds.features.Image(shape=(None, None, 3)),
        'label': tfds.features.Image(shape=(None, None, 1)),
        'name': tfds.features.Text(),
    })
    return tfds.core.DatasetInfo(builder=self, features=features)

  def _split_generators(self, dl_manager):
    return {name: self._generate_examples(name) for name in self.splits}

  def _generate_examples(self, split):
    rows = self.splits[split]
    if isinstance(rows, Exception):
      raise rows
    for name, image, label in rows:
      yield name, {
          'image': io.BytesIO(image), 'label': io.BytesIO(label), 'name': name,
      }


def png(array, mode=None):
  image = Image.fromarray(np.asarray(array, np.uint8))
  if mode == 'P':
    image.putpalette([value for index in range(256) for value in (index, 0, 0)])
  file = io.BytesIO()
  image.save(file, 'png')
  return file.getvalue()


IMAGE = png(np.zeros((4, 6, 3)))
LABEL = png(np.arange(24).reshape(4, 6) % 3)


def tiny(train, **others):
  splits = {'train': train, **others}
  return Dataset(
      'tiny', ('a', 'b', 'c'), ((0, 0, 0),) * 3,
      lambda data: Tiny(splits, data.prepared),
  )


@pytest.fixture
def load(monkeypatch):
  """Rows -> examples, as if a prepared data set held them."""
  def loaded(rows, **data):
    monkeypatch.setattr(examples, 'stored', lambda *_: iter(rows))
    return examples.load(tiny(rows), 'train', Data(**data))

  return loaded


@pytest.fixture
def refused(load):
  """Rows -> the line that refuses them."""
  def message(rows, **data):
    with pytest.raises(UserError) as info:
      load(rows, **data)
    assert '\n' not in str(info.value)
    return str(info.value)

  return message


def refusal(dataset, folder, split='train'):
  with pytest.raises(UserError) as info:
    examples.load(dataset, split, Data(prepared=str(folder)))
  assert '\n' not in str(info.value)
  return str(info.value)


def test_examples_stay_encoded_and_are_sorted_by_name(tmp_path):
  rows = [(f'n{i}', png(np.full((4, 6, 3), i)), LABEL) for i in (3, 1, 2, 0)]
  loaded = examples.load(tiny(rows), 'train', Data(prepared=str(tmp_path)))
  assert loaded.names == ('n0', 'n1', 'n2', 'n3') and len(loaded) == 4
  assert list(loaded.images) == [image for _, image, _ in sorted(rows)]
  assert list(loaded.labels) == [LABEL] * 4


def test_the_second_load_reads_what_the_first_prepared(tmp_path):
  data = Data(prepared=str(tmp_path))
  first = examples.load(tiny([('a', IMAGE, LABEL)]), 'train', data)
  broken = tiny(RuntimeError('prepared a second time'))
  assert examples.load(broken, 'train', data).digest == first.digest


def test_preparation_says_where_the_copy_lies_and_no_more(tmp_path, capfd):
  for wanted in (
      f'Prepared copy of data set tiny: {tmp_path}/tiny/1.0.0 (`adseg data` '
      'lists and clears them)\n', '',
  ):
    examples.load(
        tiny([('a', IMAGE, LABEL)]), 'train', Data(prepared=str(tmp_path))
    )
    assert capfd.readouterr() == (wanted, '')


def test_void_and_every_class_pass(load):
  label = png([[0, 1, 2, 255]])
  loaded = load([('a', png(np.zeros((1, 4, 3))), label)])
  assert list(loaded.labels) == [label]


@pytest.mark.parametrize('wrong', [3, 254])
def test_label_out_of_range_is_refused(refused, wrong):
  label = np.zeros((4, 6))
  label[2, 5] = wrong
  message = refused([('good', IMAGE, LABEL), ('wrong', IMAGE, png(label))])
  for part in ('tiny', 'example wrong', f'id {wrong}', '3 classes'):
    assert part in message


def test_label_of_another_size_is_refused(refused):
  message = refused([('a', IMAGE, png(np.zeros((6, 4))))])
  assert 'example a' in message and '6x4' in message and '4x6' in message


def test_palette_label_is_refused(refused, tmp_path):
  message = refused([('a', IMAGE, png(np.ones((4, 6)), 'P'))])
  assert 'example a' in message and '8-bit grey' in message
  # What the check shows, training reads.
  fault, = check(tiny([]), Data(prepared=str(tmp_path))).faults[:1]
  assert fault.where == 'example a' and '8-bit grey' in fault.detail


@pytest.mark.parametrize('image, label', [
    (b'no image', LABEL), (IMAGE, b'no image'), (IMAGE, LABEL[:-30]),
], ids=['image', 'label', 'truncated label'])
def test_broken_file_is_refused(refused, image, label):
  message = refused([('a', image, label)])
  assert 'example a' in message and 'replace it' in message


def test_unknown_split_lists_the_known_ones(tmp_path):
  dataset = tiny([('a', IMAGE, LABEL)], validation=[('b', IMAGE, LABEL)])
  message = refusal(dataset, tmp_path, 'test')
  assert "'test'" in message and 'train, validation' in message


def test_empty_split_is_refused(tmp_path):
  message = refusal(tiny([]), tmp_path)
  assert 'tiny' in message and 'No examples' in message


def test_a_part_without_examples_is_refused(tmp_path):
  message = refusal(tiny([('a', IMAGE, LABEL)]), tmp_path, 'train[:10%]')
  assert "'train[:10%]'" in message and 'tiny is empty' in message


def test_mistake_found_while_preparing_is_passed_on(tmp_path):
  mistake = UserError('--data.root is /nowhere: no such folder')
  assert refusal(tiny(mistake), tmp_path) == str(mistake)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
  file = tmp_path / 'file'
  file.write_text('')
  message = refusal(tiny([('a', IMAGE, LABEL)]), file)
  assert str(file) in message and '--data.prepared' in message


def test_another_process_may_prepare_at_the_same_time(tmp_path, monkeypatch):
  dataset = tiny([('a', IMAGE, LABEL)])
  prepare = Tiny.download_and_prepare

  def slower(builder, **options):
    prepare(Tiny(builder.splits, str(tmp_path)), **options)
    raise OSError('Directory not empty')

  monkeypatch.setattr(Tiny, 'download_and_prepare', slower)
  loaded = examples.load(dataset, 'train', Data(prepared=str(tmp_path)))
  assert loaded.names == ('a',)


def test_config_and_data_set_names_do_not_import_tensorflow():
  code = (
      'import sys, adseg_jax, adseg_jax.config, adseg_jax.data.dataset;'
      'sys.exit("tensorflow" in sys.modules)'
  )
  subprocess.run([sys.executable, '-c', code], check=True)


def test_part_of_a_split_is_a_split(tmp_path):
  rows = [(f'n{i}', IMAGE, LABEL) for i in range(10)]
  data = Data(prepared=str(tmp_path))
  parts = [
      examples.load(tiny(rows), part, data).names
      for part in ('train[:80%]', 'train[80%:]')
  ]
  assert [len(part) for part in parts] == [8, 2]
  assert sorted(sum(parts, ())) == [name for name, *_ in rows]


def test_limit_spreads_over_the_split(load):
  rows = [(f'n{i}', IMAGE, LABEL) for i in range(10)]
  assert load(rows, limit=2).names == ('n0', 'n5')


def test_values_become_class_ids(tmp_path):
  label = png([[0, 1, 2, 3, 7, 255]])
  rows = [('a', png(np.zeros((1, 6, 3))), label)]
  table = [255] * 256
  table[1], table[3], table[7] = 2, 0, 1
  dataset = dataclasses.replace(tiny(rows), ids=tuple(table))
  found = examples.load(dataset, 'train', Data(prepared=str(tmp_path)))
  ids = np.asarray(Image.open(io.BytesIO(found.labels[0])))
  assert ids.tolist() == [[255, 2, 255, 0, 1, 255]]


def jpeg(array, **options):
  file = io.BytesIO()
  Image.fromarray(np.asarray(array, np.uint8)).save(file, 'jpeg', **options)
  return file.getvalue()


def turned(orientation):
  exif = Image.Exif()
  exif[0x0112] = orientation
  return exif


def test_a_turned_photograph_is_loaded_upright(load):
  scene = np.zeros((16, 32, 3), np.uint8)
  scene[:8] = 200
  label = (scene[..., 0] == 0).astype(np.uint8)
  found = load([('a', jpeg(scene[::-1, ::-1], exif=turned(3)), png(label))])
  image = np.asarray(Image.open(io.BytesIO(found.images[0])))
  np.testing.assert_array_equal(image[..., 0] < 100, label)


@pytest.mark.parametrize('size', [(0, 0), (2, 2)])
def test_a_label_that_fits_the_unturned_photograph_alone_is_refused(
    refused, size
):
  rows = [('a', jpeg(np.zeros((4, 6, 3)), exif=turned(6)), LABEL)]
  message = refused(rows, size=size)
  assert 'example a: an EXIF tag turns the image to 4x6 pixels' in message
  assert 'the label, 6x4, fits it only as it was before' in message


def test_resizing_reads_as_evaluation_resizes(load):
  rng = np.random.default_rng(0)
  image = jpeg(rng.integers(0, 256, (20, 30, 3)))
  label = png(np.arange(600).reshape(20, 30) % 3)
  found = load([('a', image, label)], size=(7, 11))
  np.testing.assert_array_equal(
      pictures.decode(found.images[0], 'RGB'),
      pictures.resize(pictures.decode(image, 'RGB'), (7, 11)),
  )
  assert pictures.decode(found.labels[0], 'L').shape == (7, 11)


def test_the_digest_is_of_names_images_and_ids(load):
  def example(index, ids=0, grey=0):
    return f'n{index}', png(np.full((4, 6, 3), grey)), png(np.full((4, 6), ids))

  rows = [example(index) for index in range(4)]
  same = [
      rows,
      rows[::-1],  # in another order
      # Compressed by somebody else.
      [(*rows[0][:2], uncompressed(np.zeros((4, 6)))), *rows[1:]],
  ]
  other = [
      rows[:3], [*rows, example(4)], [*rows[:3], example(5)],
      [example(0, ids=1), *rows[1:]], [example(0, grey=1), *rows[1:]],
      [(rows[0][0], rows[0][1], png(np.zeros((4, 6)) + 255)), *rows[1:]],
  ]
  found = [load(each).digest for each in (*same, *other)]
  assert len(set(found[:3])) == 1 and len(set(found)) == 1 + len(other)
  assert len(found[0]) == 16
  # It is of the whole split, as it is stored.
  assert found[0] == load(rows, limit=2, size=(2, 3)).digest


def test_the_digest_is_the_same_everywhere(load):
  image = io.BytesIO()  # without compression: the same bytes everywhere
  Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(image, 'bmp')
  rows = [('a', image.getvalue(), LABEL), ('b', image.getvalue(), LABEL)]
  assert load(rows).digest == '3aeef621e53bf612'


def uncompressed(array):
  file = io.BytesIO()
  Image.fromarray(array.astype(np.uint8)).save(file, 'png', compress_level=0)
  return file.getvalue()
