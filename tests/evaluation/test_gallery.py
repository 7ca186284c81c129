import io

import numpy as np
import pytest
from PIL import Image

from adseg_jax.data.dataset import Dataset
from adseg_jax.data.examples import Examples
from adseg_jax.evaluation.gallery import (
    OVERVIEW,
    panel_indices,
    write_overview,
    write_panels,
)

PALETTE = ((1, 2, 3), (40, 50, 60), (70, 80, 90), (250, 0, 250))


def png(array):
  out = io.BytesIO()
  Image.fromarray(array).save(out, 'png')
  return out.getvalue()


def read(path, mode=None):
  with Image.open(path) as picture:
    return np.asarray(picture.convert(mode) if mode else picture)


def assert_label(path, label):
  """The file holds indices, and shows colours; void is white."""
  np.testing.assert_array_equal(read(path), label)
  colours = np.full((256, 3), 255)
  colours[:len(PALETTE)] = PALETTE
  np.testing.assert_array_equal(read(path, 'RGB'), colours[label])


@pytest.mark.parametrize('count,wanted,expected', [
    (90, 3, [0, 30, 60]), (2, 6, [0, 1]), (5, 0, []), (7, 3, [0, 2, 4]),
    (0, 4, []),
])
def test_panels_are_spread(count, wanted, expected):
  assert panel_indices(count, wanted) == expected


def test_panels_hold_indices_and_the_palette(tmp_path, rng):
  images = [rng.integers(0, 256, (9, 7, 3), np.uint8) for _ in range(3)]
  labels = [rng.integers(0, 4, (9, 7), np.uint8) for _ in range(3)]
  labels[2][:2] = 255
  examples = Examples(
      tuple(map(png, images)), tuple(map(png, labels)), ('a', 'b', 'city/c')
  )
  found = {2: rng.integers(0, 4, (9, 7), np.uint8), 0: labels[0]}
  write_panels(tmp_path / 'panels', PALETTE, examples, found)
  names = {path.name for path in (tmp_path / 'panels').iterdir()}
  assert names == {
      f'{name}_{kind}.png' for name in ('a', 'city_c')
      for kind in ('image', 'truth', 'prediction')
  }
  for index, name in ((0, 'a'), (2, 'city_c')):
    start = tmp_path / 'panels' / name
    np.testing.assert_array_equal(read(f'{start}_image.png'), images[index])
    assert_label(f'{start}_truth.png', labels[index])
    assert_label(f'{start}_prediction.png', found[index])


def test_the_overview_is_reduced_and_aligned(tmp_path, rng):
  """Blocks of one colour become a pixel each, with the class in its middle."""
  small = rng.integers(0, 4, (5, 2 * OVERVIEW // 3 + 10), np.uint8)
  blocks = small.repeat(3, 0).repeat(3, 1)  # a little over twice OVERVIEW
  image = np.repeat(60 * blocks[..., None], 3, 2)
  truth = rng.integers(0, 4, blocks.shape, np.uint8)
  truth[1::3, 1::3] = small
  dataset = Dataset(
      'd', tuple('abcd'), PALETTE, None,
      overview=lambda: (image, truth, 'What it shows.'),
  )

  def predict(image):
    return 3 - image[..., 0] // 60

  folder = tmp_path / 'runs' / 'overview'
  write_overview(folder, dataset, predict)
  assert_label(folder / 'truth.png', small)
  assert_label(folder / 'prediction.png', 3 - small)
  shown = read(folder / 'image.jpg')
  assert shown.shape == (*small.shape, 3)
  # JPEG blurs noise a little.
  error = np.abs(shown[..., 0] - 60.0 * small)
  assert np.median(error) < 10 and error.max() < 60
  assert (folder / 'caption.txt').read_text() == 'What it shows.\n'
