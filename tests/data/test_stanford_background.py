import io
from pathlib import Path

import layouts
import numpy as np
import pytest
from PIL import Image

from adseg_jax.config import Data
from adseg_jax.data import examples, stanford_background
from adseg_jax.data.dataset import find
from adseg_jax.errors import UserError


@pytest.fixture(scope='module')
def root(tmp_path_factory):
  folder = tmp_path_factory.mktemp('stanford')
  layouts.stanford(folder / 'iccv09Data')
  return folder


def test_folds_are_a_permutation_in_five_parts():
  parts = stanford_background.folds()
  assert [len(part) for part in parts] == [143] * 5
  assert sorted(index for part in parts for index in part) == [*range(715)]
  assert not any(part == list(range(143)) for part in parts)
  # The list is the data set: a change of it changes every result.
  assert parts[0][:5] == [2, 5, 8, 12, 13]


@pytest.mark.parametrize('fold', [0, 4])
def test_a_part_validates_and_the_others_train(root, fold):
  """An index counts names in alphabetical order."""
  data = Data(root=str(root / 'iccv09Data'), fold=fold)
  train, validation = (
      [record.name for record in records]
      for records in stanford_background.originals(data).splits.values()
  )
  names = [f'{5000000 + 7 * index}' for index in range(715)]
  held_out = stanford_background.folds()[fold]
  assert validation == [names[index] for index in held_out]
  assert sorted(train + validation) == names


def test_examples_are_regions_of_jpegs(root, tmp_path):
  data = Data(root=str(root), prepared=str(tmp_path), limit=3)
  found = examples.load(stanford_background.DATASET, 'train', data)
  assert len(found) == 3
  name = found.names[0]
  file = root / 'iccv09Data/images' / f'{name}.jpg'
  assert found.images[0] == file.read_bytes()
  np.testing.assert_array_equal(
      np.asarray(Image.open(io.BytesIO(found.labels[0]))),
      layouts.ids([255, 0, 7], (4, 6)),
  )


def test_an_incomplete_copy_has_no_split(tmp_path):
  layouts.stanford(tmp_path / 'data', count=714)
  with pytest.raises(UserError, match=r'714 images .* all 715'):
    stanford_background.originals(Data(root=str(tmp_path / 'data')))
  (next(Path(tmp_path / 'data/labels').glob('*.regions.txt'))).unlink()
  faults = stanford_background.originals(
      Data(root=str(tmp_path / 'data'))
  ).faults
  assert len(faults) == 1 and faults[0].where.startswith('images')


@pytest.mark.parametrize('name, fold, text', [
    ('stanford_background', 5, 'give 0 to 4'),
    ('stanford_background', -1, 'give 0 to 4'),
    ('camvid', 1, 'data set camvid has no folds: give neither'),
])
def test_unknown_fold_is_refused(name, fold, text):
  assert find(Data(name=name)).name == name
  with pytest.raises(UserError, match=rf'--data\.fold is {fold}: {text}'):
    find(Data(name=name, fold=fold))

