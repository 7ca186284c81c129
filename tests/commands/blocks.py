"""Small pictures of blocks whose brightness tells the class."""

import numpy as np
import tensorflow_datasets as tfds
from toy import CLASSES, Toy

from adseg_jax.data.dataset import Dataset

PALETTE = ((0, 0, 0), (90, 90, 90), (200, 0, 200))
SIDE = 8  # of a block


def example(rng):
  """A picture with a void rim, of about 32x32 pixels."""
  height, width = rng.integers(24, 41, 2)
  blocks = rng.integers(0, 3, (6, 6)).repeat(SIDE, 0).repeat(SIDE, 1)
  label = blocks[:height, :width, None].astype(np.uint8)
  image = np.repeat(100 * label + rng.integers(0, 50, label.shape), 3, 2)
  label[:2] = 255
  return {'image': image.astype(np.uint8), 'label': label}


class Blocks(Toy):
  VERSION = tfds.core.Version('1.0.0')

  def _generate_examples(self, split, count):
    rng = np.random.default_rng(len(split))
    for index in range(count):
      name = f'{split}/{index:02}'
      yield name, example(rng) | {'name': name}


DATASET = Dataset(
    'blocks', CLASSES, PALETTE, lambda data: Blocks(data_dir=data.prepared)
)
