"""A data set of noise in a few small pictures, and runs on it."""

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from adseg_jax.data.dataset import Dataset

CLASSES = ('low', 'middle', 'high')


def example(rng):
  """A picture whose brightness tells the class, with a void rim."""
  height, width = rng.integers(24, 33, 2)
  label = rng.integers(0, 3, (height, width, 1)).astype(np.uint8)
  image = np.repeat(100 * label + rng.integers(0, 50, label.shape), 3, 2)
  label[:2] = 255
  return {'image': image.astype(np.uint8), 'label': label}


class Toy(tfds.core.GeneratorBasedBuilder):
  VERSION = tfds.core.Version('1.0.0')

  def _info(self):
    return tfds.core.DatasetInfo(
        builder=self, features=tfds.features.FeaturesDict({
            'image': tfds.features.Image(shape=(None, None, 3)),
            'label': tfds.features.Image(shape=(None, None, 1)),
            'name': tfds.features.Text(),
        }),
    )

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples('train', 11),
            'validation': self._generate_examples('validation', 5)}

  def _generate_examples(self, split, count):
    rng = np.random.default_rng(len(split))
    for index in range(count):
      name = f'{split}/{index:02}'
      yield name, example(rng) | {'name': name}


DATASET = Dataset(
    'toy', CLASSES, ((0, 0, 0), (90, 90, 90), (200, 200, 200)),
    lambda data: Toy(data_dir=data.prepared),
)


def on_toy(experiment, **optimizer):
  """The experiment on this data set."""
  return dataclasses.replace(
      experiment, data=dataclasses.replace(experiment.data, name='toy'),
      optimizer=dataclasses.replace(experiment.optimizer, **optimizer),
  )
