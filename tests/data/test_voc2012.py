import dataclasses
import io

import layouts
import numpy as np
import pytest
from PIL import Image

from adseg_jax.config import Data
from adseg_jax.data import examples, voc2012
from adseg_jax.data.check import check
from adseg_jax.errors import UserError


@pytest.fixture
def data(tmp_path):
  return Data(
      name='voc2012', root=str(layouts.voc(tmp_path / 'voc')),
      prepared=str(tmp_path / 'prepared'),
  )


def label_of(found, name):
  return np.asarray(
      Image.open(io.BytesIO(found.labels[found.names.index(name)]))
  )


def test_trainaug_is_train_and_sbd_without_validation(data):
  found = examples.load(voc2012.DATASET, 'trainaug', data)
  assert found.names == (
      '2007_000032', '2007_000039', '2008_000002', '2008_000003'
  )
  validation = examples.load(voc2012.DATASET, 'validation', data)
  assert validation.names == ('2007_000033',)


def test_labels_are_indices_and_vocs_win_over_sbds(data):
  found = examples.load(voc2012.DATASET, 'trainaug', data)
  voc, sbd = layouts.ids([0, 1, 15, 255]), layouts.ids([0, 20])
  np.testing.assert_array_equal(label_of(found, '2007_000032'), voc)
  np.testing.assert_array_equal(label_of(found, '2008_000003'), sbd)


def test_train_alone_needs_no_sbd(data, tmp_path):
  sbd = tmp_path / 'voc/benchmark_RELEASE'
  sbd.rename(tmp_path / 'elsewhere')
  with pytest.raises(UserError, match=r'benchmark_RELEASE/dataset/cls'):
    examples.load(voc2012.DATASET, 'trainaug', data)
  found = examples.load(
      voc2012.DATASET, 'train', dataclasses.replace(data, train='train')
  )
  assert found.names == ('2007_000032', '2007_000039')


def test_images_are_the_original_files(data, tmp_path):
  found = examples.load(voc2012.DATASET, 'validation', data)
  path = tmp_path / 'voc/VOCdevkit/VOC2012/JPEGImages/2007_000033.jpg'
  assert list(found.images) == [path.read_bytes()]


def test_missing_files_are_listed(data, tmp_path):
  devkit = tmp_path / 'voc/VOCdevkit/VOC2012'
  (devkit / 'JPEGImages/2008_000002.jpg').unlink()
  (devkit / 'SegmentationClass/2007_000039.png').unlink()
  found = check(voc2012.DATASET, data)
  assert [fault.where.split('/')[-1] for fault in found.faults] == [
      '2007_000039.png', '2008_000002.jpg'
  ]
  with pytest.raises(UserError, match='2007_000039'):
    examples.load(voc2012.DATASET, 'validation', data)


def test_a_label_saved_as_brightness_is_a_trap(data, tmp_path):
  path = tmp_path / 'voc/VOCdevkit/VOC2012/SegmentationClass/2007_000033.png'
  Image.open(path).convert('L').save(path)
  with pytest.raises(UserError, match=r'2007_000033: .*brightness'):
    examples.load(voc2012.DATASET, 'validation', data)


def test_a_palette_in_another_order_is_a_trap(data, tmp_path):
  path = tmp_path / 'voc/VOCdevkit/VOC2012/SegmentationClass/2007_000039.png'
  palette = [[0, 0, 0], [1, 2, 3]] + [[2, 2, 2]] * 254
  layouts.paletted(layouts.ids([0, 1]), path, palette)
  with pytest.raises(UserError, match=r'index 1 has the colour \(1, 2, 3\)'):
    examples.load(voc2012.DATASET, 'trainaug', data)
