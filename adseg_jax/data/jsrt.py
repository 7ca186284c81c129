"""JSRT: 247 chest radiographs, with both lungs and the heart as classes.

Radiographs of Shiraishi et al. 2000, masks of SCR (van Ginneken, Stegmann,
Loog 2006), brought to PNGs of one size: JPCLN001 to 154 show a nodule,
JPCNN001 to 093 none. The literature compares on SCR's halves, the odd and the
even numbers. Here even ones test; of the odd ones those in 9 validate.
"""

import re

from adseg_jax import config
from adseg_jax.data.dataset import Dataset, Source
from adseg_jax.data.originals import (
    IMAGES,
    Fault,
    Originals,
    find_root,
    listing,
    pair,
)
from adseg_jax.data.pixels import read_png

# The right lung is on the image's left: a radiograph faces its viewer.
CLASSES = 'background', 'right lung', 'left lung', 'heart'
PALETTE = (70, 70, 80), (0, 200, 0), (200, 0, 0), (0, 0, 255)

SOURCE = Source(
    homepage='http://db.jsrt.or.jp/eng.php and '
    'https://www.isi.uu.nl/Research/Databases/SCR/',
    licence='research and education; both ask to be cited',
    layout='images/ and labels/ with PNGs of equal names, JPCLN001 to 154 and '
    'JPCNN001 to 093; labels hold 0 background, 1 right lung, 2 left lung, '
    '3 heart',
)
_NAME = re.compile(r'JPC[LN]N\d{3}')


def split_of(name: str) -> str:
  """The split of a radiograph, by the last digit of its number."""
  digit = int(name[-1])
  if digit % 2 == 0:
    return 'test'
  return 'validation' if digit == 9 else 'train'


def originals(data: config.Data) -> Originals:
  """The files in `data.root`, or in jsrt/ there.

  Raises:
    UserError: folders are missing.
  """
  root = find_root(data, 'jsrt', SOURCE, ('images', 'labels'), ('.', 'jsrt'))
  images, same = listing(root / 'images', IMAGES)
  masks, _ = listing(root / 'labels', ('.png',))
  records, unpaired = pair(images, masks, root)
  known = [record for record in records if _NAME.fullmatch(record.name)]
  strange = [
      Fault('names that are none of JSRT', record.name)
      for record in records if record not in known
  ]
  splits = {
      split: tuple(one for one in known if split_of(one.name) == split)
      for split in ('train', 'validation', 'test')
  }
  return Originals(root, splits, read_png, (*same, *unpaired, *strange))


DATASET = Dataset(
    'jsrt', CLASSES, PALETTE, test='test', source=SOURCE, originals=originals,
    counts={'train': 100, 'validation': 24, 'test': 123},
)
