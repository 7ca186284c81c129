"""Cityscapes: street scenes of 50 cities, 2048x1024, 19 classes, by TFDS.

Cordts et al. 2016. The labels' 34 ids become the benchmark's 19; the rest is
void. The labels of the test images are secret.
"""

import hashlib
from pathlib import Path

import tensorflow_datasets as tfds

from adseg_jax import config
from adseg_jax.data.dataset import VOID, Dataset, Source
from adseg_jax.data.originals import find_root, given_root
from adseg_jax.data.tfds_builder import tfds_builder

CLASSES = (
    'road', 'sidewalk', 'building', 'wall', 'fence', 'pole', 'traffic light',
    'traffic sign', 'vegetation', 'terrain', 'sky', 'person', 'rider', 'car',
    'truck', 'bus', 'train', 'motorcycle', 'bicycle',
)
# The benchmark's own colours (cityscapesScripts, helpers/labels.py).
PALETTE = (
    (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156),
    (190, 153, 153), (153, 153, 153), (250, 170, 30), (220, 220, 0),
    (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60),
    (255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 80, 100),
    (0, 0, 230), (119, 11, 32),
)
# The label id of each class above (same file).
LABEL_IDS = (
    7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33
)
# The class of each value of a label.
IDS = tuple(
    LABEL_IDS.index(value) if value in LABEL_IDS else VOID
    for value in range(256)
)
_CONFIG = 'semantic_segmentation'
_ARCHIVES = ('leftImg8bit_trainvaltest.zip', 'gtFine_trainvaltest.zip')

SOURCE = Source(
    homepage='https://www.cityscapes-dataset.com',
    licence='its own: research and teaching, no commercial use; registration',
    layout=' and '.join(_ARCHIVES),
)


def builder(data: config.Data):
  """TFDS's builder, on the archives or on what was made from them.

  Raises:
    UserError: no prepared copy, and the archives are missing.
  """
  given = given_root(data)
  made = tfds_builder('cityscapes', data.prepared, _CONFIG)
  at_hand = given and all((given / archive).exists() for archive in _ARCHIVES)
  if made.data_path.exists() and not at_hand:
    return made
  root = find_root(data, 'cityscapes', SOURCE, _ARCHIVES)
  stats = [(root / archive).stat() for archive in _ARCHIVES]
  text = repr([(stat.st_size, stat.st_mtime_ns) for stat in stats])
  digest = hashlib.sha256(text.encode()).hexdigest()[:12]
  folder = Path(data.prepared or tfds.core.constants.DATA_DIR) / digest
  return tfds_builder('cityscapes', folder, _CONFIG)


DATASET = Dataset(
    'cityscapes', CLASSES, PALETTE, builder, source=SOURCE,
    counts={'train': 2975, 'validation': 500},
    features=('image_id', 'image_left', 'segmentation_label'),
    ids=IDS,
)
