import dataclasses
import io
import os
from pathlib import Path

import layouts
import numpy as np
import pytest
from PIL import Image

from adseg_jax.config import Data
from adseg_jax.data import camvid, examples
from adseg_jax.data.check import check
from adseg_jax.errors import UserError

# Pixels of each class over all 701 images, as the copy's README counts them.
PIXELS = (
    19155369, 29187991, 1195743, 35520717, 8098693, 13548782, 1306195, 1728599,
    5623717, 774148, 648197,
)
VOID = 4344649


def load(split, data):
  return examples.load(camvid.DATASET, split, data)


def decoded(encoded):
  return np.asarray(Image.open(io.BytesIO(encoded)))


@pytest.fixture
def data(tmp_path):
  return Data(
      name='camvid', root=str(layouts.camvid(tmp_path / 'camvid')),
      prepared=str(tmp_path / 'prepared'),
  )


def test_splits_names_and_void(data):
  names = {
      split: load(split, data).names
      for split in ('train', 'validation', 'test')
  }
  assert [len(found) for found in names.values()] == [3, 2, 2]
  assert names['validation'] == ('0001TP_val0', '0001TP_val1')
  label = decoded(load('test', data).labels[0])
  np.testing.assert_array_equal(label, layouts.ids([0, 3, 10, 255]))


@pytest.mark.parametrize('ending', ['png', 'jpg'])
def test_images_keep_their_bytes(tmp_path, ending):
  root = layouts.camvid(tmp_path / 'CamVid', ending)
  found = load('train', Data(root=str(tmp_path), prepared=str(tmp_path / 'p')))
  files = sorted((root / 'train').iterdir())
  assert list(found.images) == [path.read_bytes() for path in files]


def test_another_root_is_not_taken_for_the_first(data, tmp_path):
  first = load('train', data)
  other = layouts.camvid(tmp_path / 'other')
  layouts.grey(layouts.ids([7]), other / 'trainannot/0001TP_train0.png')
  second = load('train', dataclasses.replace(data, root=str(other)))
  assert decoded(second.labels[0]).tolist() == layouts.ids([7]).tolist()
  assert load('train', data).digest == first.digest


def test_limit_is_on_each_split(data):
  data = dataclasses.replace(data, limit=1)
  assert [len(load(split, data)) for split in ('train', 'test')] == [1, 1]


def test_size_applies_to_image_and_label(data):
  resized = load('train', dataclasses.replace(data, size=(6, 8)))
  for image, label in zip(resized.images, resized.labels, strict=True):
    assert decoded(image).shape == (6, 8, 3)
    np.testing.assert_array_equal(
        decoded(label), layouts.ids([0, 3, 10, 255], (6, 8))
    )
  # A smooth image is what it was, at half the resolution.
  ramp = np.arange(16, dtype=np.uint8)[None, :, None].repeat(12, 0) * 10
  path = Path(data.root) / 'train/0001TP_train0.png'
  Image.fromarray(ramp.repeat(3, 2)).save(path)
  image = load('train', dataclasses.replace(data, size=(6, 8))).images[0]
  halves = ramp[0, :, 0].reshape(8, 2).mean(1)
  assert np.abs(decoded(image)[..., 0] - halves)[:, 1:-1].max() <= 1


def test_missing_folders_are_listed(tmp_path):
  (tmp_path / 'train').mkdir()
  with pytest.raises(UserError) as info:
    load('train', Data(root=str(tmp_path)))
  message = str(info.value)
  assert 'trainannot, val, valannot, test, testannot;' in message
  assert camvid.SOURCE.homepage in message and '\n' not in message


def test_image_without_a_label_is_refused(data):
  (Path(data.root) / 'valannot/0001TP_val1.png').unlink()
  with pytest.raises(UserError, match=r'label \(1\): val/0001TP_val1\.png'):
    load('train', data)


def real_root():
  """The real folder: from ADSEG_DATA, or beside the repository."""
  beside = Path(__file__).parents[2].parent / 'shared/data/camvid'
  root = Path(os.environ.get('ADSEG_DATA', beside))
  inner = root / 'camvid'
  return inner if inner.is_dir() else root


def test_real_data():
  root = real_root()
  if not (root / 'trainannot').is_dir():
    pytest.skip(f'no CamVid in {root}: set ADSEG_DATA')
  found = check(camvid.DATASET, Data(root=str(root)))
  assert not found.faults and not found.warnings
  tallies = found.tallies
  assert {split: t.images for split, t in tallies.items()} == {
      'train': 367, 'validation': 101, 'test': 233
  }
  assert {size for t in tallies.values() for size in t.sizes} == {(480, 360)}
  assert tuple(sum(t.pixels for t in tallies.values()).tolist()) == PIXELS
  assert sum(t.void for t in tallies.values()) == VOID
