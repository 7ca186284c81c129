"""Data sets that TFDS prepares, from made-up archives: nothing is loaded."""

import dataclasses
import io

import layouts
import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from adseg_jax.config import Data
from adseg_jax.data import cityscapes, examples, oxford_iiit_pet
from adseg_jax.errors import UserError


def decoded(encoded):
  return np.asarray(Image.open(io.BytesIO(encoded)))


def test_cityscapes_ids_by_hand():
  table = cityscapes.IDS
  assert len(table) == 256 and table[7] == 0 and table[33] == 18
  assert table[26] == cityscapes.CLASSES.index('car')
  assert [table[value] for value in (0, 6, 9, 10, 14, 18, 29, 30, 255)] == (
      [255] * 9
  )
  assert sorted(set(table)) == [*range(19), 255]
  assert len(cityscapes.PALETTE) == len(cityscapes.CLASSES) == 19


def test_cityscapes_archives(tmp_path):
  root = layouts.cityscapes(tmp_path / 'archives')
  data = Data(
      name='cityscapes', root=str(root), prepared=str(tmp_path / 'prepared'),
      size=(64, 128),
  )
  found = examples.load(cityscapes.DATASET, 'validation', data)
  assert found.names == ('aachen_000000_000019',)
  assert np.unique(decoded(found.labels[0])).tolist() == [0, 1, 2, 18, 255]
  assert decoded(found.images[0]).shape == (64, 128, 3)


def test_cityscapes_without_archives_says_where_to_get_them(
    tmp_path, monkeypatch
):
  monkeypatch.delenv('ADSEG_DATA', raising=False)
  data = Data(name='cityscapes', prepared=str(tmp_path))
  for root, text in (('', '--data.root'), (str(tmp_path), 'missing in')):
    with pytest.raises(UserError, match=text) as info:
      examples.load(
          cityscapes.DATASET, 'train', dataclasses.replace(data, root=root)
      )
    assert 'gtFine_trainvaltest.zip' in str(info.value)
    assert 'cityscapes-dataset.com' in str(info.value)


def test_pets(tmp_path, monkeypatch):
  folders = layouts.pets(tmp_path / 'pets')
  monkeypatch.setattr(
      tfds.download.DownloadManager, 'download_and_extract',
      lambda manager, urls: folders,
  )
  data = Data(name='oxford_iiit_pet', prepared=str(tmp_path / 'prepared'))
  dataset = oxford_iiit_pet.DATASET
  splits = {
      split: examples.load(dataset, split, data)
      for split in (dataset.train, dataset.validation, dataset.test)
  }
  assert [len(found) for found in splits.values()] == [9, 1, 2]
  assert len({name for found in splits.values() for name in found.names}) == 12
  for found in splits.values():
    np.testing.assert_array_equal(
        decoded(found.labels[0]), layouts.ids([0, 1, 2])
    )
