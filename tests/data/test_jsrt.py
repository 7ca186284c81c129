import io

import layouts
import numpy as np
import pytest
from PIL import Image

from adseg_jax.config import Data
from adseg_jax.data import examples, jsrt
from adseg_jax.data.dataset import find
from adseg_jax.errors import UserError


def numbered(last):
  return [f'{number:03}' for number in range(1, last + 1)]


@pytest.fixture
def root(tmp_path):
  return layouts.jsrt(tmp_path / 'files')


def test_odd_numbers_train_and_validate_even_ones_test():
  names = [
      *(f'JPCLN{number}' for number in numbered(154)),
      *(f'JPCNN{number}' for number in numbered(93)),
  ]
  found = {}
  for name in names:
    found.setdefault(jsrt.split_of(name), []).append(name)
  assert {split: len(of) for split, of in found.items()} == jsrt.DATASET.counts
  assert all(int(name[5:]) % 2 == 0 for name in found['test'])
  assert found['validation'][:3] == ['JPCLN009', 'JPCLN019', 'JPCLN029']


def test_examples_are_read(root, tmp_path):
  data = Data(name='jsrt', root=str(root), prepared=str(tmp_path / 'prepared'))
  dataset = find(data)
  names = {
      split: examples.load(dataset, split, data).names
      for split in jsrt.DATASET.counts
  }
  assert names == {
      'train': ('JPCLN001', 'JPCNN003'), 'validation': ('JPCLN009',),
      'test': ('JPCLN002', 'JPCNN010'),
  }
  label = examples.load(dataset, dataset.test, data).labels[0]
  ids = np.asarray(Image.open(io.BytesIO(label)))
  np.testing.assert_array_equal(ids, layouts.ids([0, 1, 2, 3]))


def test_other_names_have_no_split(root, tmp_path):
  layouts.save(layouts.photo(), root / 'images/mine.png')
  layouts.grey(layouts.ids([0]), root / 'labels/mine.png')
  with pytest.raises(UserError, match=r'none of JSRT \(1\): mine'):
    examples.load(
        jsrt.DATASET, 'train',
        Data(name='jsrt', root=str(root), prepared=str(tmp_path / 'prepared')),
    )
