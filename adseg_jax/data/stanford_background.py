"""Stanford Background: 715 outdoor scenes of about 320x240, 8 classes.

Gould, Fulton, Koller 2009. There is no official split; Luc et al. 2016 give
none either. Ours is a fixed permutation in five parts of 143, listed in
stanford_background.txt: part `fold` validates, the other 572 train.
"""

from importlib import resources

from adseg_jax import config
from adseg_jax.data.dataset import Dataset, Source
from adseg_jax.data.labels import read_regions
from adseg_jax.data.originals import IMAGES, Originals, find_root, listing, pair
from adseg_jax.errors import UserError
from adseg_jax.wording import counted

# In the order of the archive's README.
CLASSES = (
    'sky', 'tree', 'road', 'grass', 'water', 'building', 'mountain',
    'foreground object',
)
PALETTE = (
    (135, 190, 230), (30, 100, 40), (110, 100, 110), (150, 200, 70),
    (30, 80, 170), (200, 120, 60), (110, 70, 40), (220, 30, 120),
)
IMAGES_IN_ALL = 715

SOURCE = Source(
    homepage='http://dags.stanford.edu/projects/scenedataset.html',
    licence='none stated; the authors ask to be cited',
    layout='iccv09Data/ (or what is in it): images/*.jpg and '
    'labels/*.regions.txt of equal names, 715 of each',
)


def folds() -> list[list[int]]:
  """The five parts: indices into the 715 names in alphabetical order."""
  text = resources.files('adseg_jax.data').joinpath('stanford_background.txt')
  lines = text.read_text('utf-8').splitlines()
  return [
      [int(index) for index in line.split()]
      for line in lines if not line.startswith('#')
  ]


def originals(data: config.Data) -> Originals:
  """The files in `data.root`, or in iccv09Data/ there.

  Raises:
    UserError: folders or images are missing.
  """
  root = find_root(
      data, 'stanford_background', SOURCE, ('images', 'labels'),
      ('.', 'iccv09Data', 'stanford_background'),
  )
  images, same = listing(root / 'images', IMAGES)
  regions, _ = listing(root / 'labels', ('.regions.txt',))
  records, unpaired = pair(images, regions, root)
  faults = (*same, *unpaired)
  if not faults and len(records) != IMAGES_IN_ALL:
    raise UserError(
        f'data set stanford_background: {root} has '
        f'{counted(len(records), "image")} with labels, but the split '
        f'is one of all {IMAGES_IN_ALL}: get the rest from {SOURCE.homepage}'
    )
  held_out = set(folds()[data.fold])
  splits = {
      'train': tuple(r for i, r in enumerate(records) if i not in held_out),
      'validation': tuple(r for i, r in enumerate(records) if i in held_out),
  }
  return Originals(root, splits, read_regions, faults)


DATASET = Dataset(
    'stanford_background', CLASSES, PALETTE, source=SOURCE,
    originals=originals, counts={'train': 572, 'validation': 143}, folds=5,
)
