import io

import layouts
import numpy as np
import pytest
from PIL import Image

from adseg_jax.data import labels
from adseg_jax.data.dataset import colormap
from adseg_jax.data.labels import BadFile
from adseg_jax.data.pixels import read_png


def png(array, mode=None, **options):
  file = io.BytesIO()
  Image.fromarray(np.asarray(array)).convert(mode).save(file, 'png', **options)
  return file.getvalue()


def test_colormap_is_vocs():
  colours = colormap(256)
  assert colours[:4] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
  assert colours[15] == (192, 128, 128) and colours[20] == (0, 64, 128)
  assert colours[255] == (224, 224, 192)


def test_palette_png_is_read_as_indices(tmp_path):
  array = layouts.ids([0, 1, 15, 255])
  layouts.paletted(array, tmp_path / 'a.png')
  label = read_png(tmp_path / 'a.png')
  np.testing.assert_array_equal(label.ids, array)
  assert label.colours == (
      (0, (0, 0, 0)), (1, (128, 0, 0)), (15, (192, 128, 128)),
      (255, (224, 224, 192)),
  )


def test_an_index_beyond_the_palette_has_no_colour(tmp_path):
  """As tools shorten VOC's palette; another file may have all of it."""
  array = layouts.ids([0, 19, 255])
  layouts.paletted(array, tmp_path / 'a.png', colormap(20))
  label = read_png(tmp_path / 'a.png')
  np.testing.assert_array_equal(label.ids, array)
  assert label.colours == ((0, (0, 0, 0)), (19, colormap(20)[19]))


@pytest.mark.parametrize('depth, packed, wanted', [
    (4, [0x01, 0x2F], [0, 1, 2, 15]),
    (2, [0b00011011], [0, 1, 2, 3]),
    (1, [0b01100000], [0, 1, 1, 0]),
])
def test_grey_of_few_bits_is_not_stretched(depth, packed, wanted):
  label = read_png(layouts.raw_png([packed], 4, depth, 0))
  assert label.ids.tolist() == [wanted] and not label.colours


def test_sixteen_bits_keep_large_ids():
  label = read_png(png(np.array([[0, 300]], np.uint16)))
  assert label.ids.tolist() == [[0, 300]]
  assert 'id 300' in labels.strange_ids(label.ids, 5, 'it has 5 classes')


@pytest.mark.parametrize('mode', ['RGB', 'RGBA'])
def test_colour_is_no_index(mode):
  with pytest.raises(BadFile, match='in colour') as info:
    read_png(png(np.zeros((2, 2), np.uint8), mode))
  assert info.value.kind == labels.COLOURED


def test_lossy_and_broken_labels_are_refused():
  whole, lossy = png(np.eye(40, dtype=np.uint8)), io.BytesIO()
  Image.fromarray(np.eye(8, dtype=np.uint8)).save(lossy, 'jpeg')
  for file, text in (
      (lossy.getvalue(), 'JPEG, which changes ids'), (whole[:-40], 'broken'),
      (b'nothing', 'broken'),
  ):
    with pytest.raises(BadFile, match=text):
      read_png(file)


def test_regions_are_integers_and_negative_is_void(tmp_path):
  path = tmp_path / 'a.regions.txt'
  path.write_text('0 7 -1\n3 3 -2 \n')
  assert labels.read_regions(path).ids.tolist() == [[0, 7, 255], [3, 3, 255]]


@pytest.mark.parametrize('text', ['0 1\n2\n', '0 x\n', '0.5 1\n'])
def test_broken_regions_are_refused(tmp_path, text):
  path = tmp_path / 'a.regions.txt'
  path.write_text(text)
  with pytest.raises(BadFile, match='no matrix of integers'):
    labels.read_regions(path)


def test_matlab_segmentation(tmp_path):
  array = layouts.ids([0, 3, 20])
  layouts.matlab(array, tmp_path / 'a.mat')
  label = labels.read_mat(tmp_path / 'a.mat')
  np.testing.assert_array_equal(label.ids, array)
  (tmp_path / 'b.mat').write_bytes(
      (tmp_path / 'a.mat').read_bytes()[:200]
  )
  for name in ('b.mat', 'absent.mat'):
    with pytest.raises(BadFile, match='GTcls'):
      labels.read_mat(tmp_path / name)


def test_strange_ids_are_named_and_the_rest_passes():
  fine = np.array([[0, 2, 255]])
  assert labels.strange_ids(fine, 3, 'it has 3 classes') == ''
  text = labels.strange_ids(np.array([[0, 3, 9, -4]]), 3, 'it has 3 classes')
  assert 'id -4 and 2 more' in text and '0 to 2' in text
  assert 'brightness' not in text


def test_brightness_of_a_palette_is_recognised(tmp_path):
  layouts.paletted(layouts.ids([0, 1, 15, 255]), tmp_path / 'a.png')
  # What TensorFlow makes of it, too: 0, 38, 147, 220.
  grey = np.asarray(Image.open(tmp_path / 'a.png').convert('L'))
  assert np.unique(grey).tolist() == [0, 38, 147, 220]
  assert 'brightness of a palette' in labels.strange_ids(grey, 21, 'VOC')


def test_encoded_ids_are_8_bit_grey():
  array = np.array([[0, 1, 254, 255]])
  picture = Image.open(io.BytesIO(labels.encode(array)))
  assert picture.mode == 'L'
  np.testing.assert_array_equal(np.asarray(picture), array)
