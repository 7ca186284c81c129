"""Training, evaluation and prediction see the same pixels of a file."""

import io
import struct
import zlib
from pathlib import Path

import layouts
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from test_camvid import real_root

from adseg_jax.data import pictures, pipeline
from adseg_jax.data.labels import encode
from adseg_jax.inference.pictures import read

# Odd sides, sides of whole blocks, and thin ones.
SHAPES = [(1, 1), (1, 7), (9, 2), (17, 31), (64, 64), (63, 65)]


def photo(height, width):
  """Blocks of colour under noise: sharp edges, and every brightness."""
  rng = np.random.default_rng(height)
  blocks = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3))
  whole = np.kron(blocks, np.ones((8, 8, 1)))[:height, :width]
  return np.clip(whole + rng.integers(-40, 41, whole.shape), 0, 255).astype(
      np.uint8
  )


def file(array, kind, mode=None, **options):
  """An encoded picture of an array or a Pillow image."""
  if isinstance(array, np.ndarray):
    array = Image.fromarray(array)
  encoded = io.BytesIO()
  (array.convert(mode) if mode else array).save(encoded, kind, **options)
  return encoded.getvalue()


def resampled(jpeg, factors):
  """The same JPEG with other sampling factors of its luma: 440, 411."""
  place = 2
  while jpeg[place + 1] not in (0xC0, 0xC2):  # the frame's header
    place += 2 + int.from_bytes(jpeg[place + 2:place + 4], 'big')
  return jpeg[:place + 11] + bytes([factors]) + jpeg[place + 12:]


def trained_on(encoded):
  image, _ = pipeline.decode(encoded, encode(np.zeros((1, 1))))
  assert image.dtype == tf.uint8
  return image.numpy()


def assert_read_alike(encoded, tmp_path):
  """By training, evaluation and prediction; returns the pixels."""
  kept = pictures.plain(encoded)
  image = pictures.decode(kept.file, 'RGB')
  assert image.dtype == np.uint8 and image.shape == (*kept.size[::-1], 3)
  np.testing.assert_array_equal(trained_on(kept.file), image)
  path = tmp_path / 'picture'
  path.write_bytes(encoded)
  np.testing.assert_array_equal(read(path), image)
  return image


@pytest.mark.parametrize('progressive', [False, True])
@pytest.mark.parametrize('quality', [30, 90, 100])
@pytest.mark.parametrize('subsampling', ['4:4:4', '4:2:2', '4:2:0', 'grey'])
def test_jpegs(tmp_path, subsampling, quality, progressive):
  options = {'quality': quality, 'progressive': progressive}
  for shape in SHAPES:
    if subsampling == 'grey':
      encoded = file(photo(*shape), 'jpeg', 'L', **options)
    else:
      encoded = file(
          photo(*shape), 'jpeg', subsampling=subsampling, **options
      )
    assert_read_alike(encoded, tmp_path)
    assert pictures.plain(encoded).file == encoded


@pytest.mark.parametrize('was,factors', [
    ('4:2:2', 0x12), ('4:2:0', 0x41), ('4:2:0', 0x14)
])
def test_jpegs_of_rare_subsampling(tmp_path, was, factors):
  # As many blocks as before: the same bytes are another picture's.
  encoded = resampled(file(photo(128, 128), 'jpeg', subsampling=was), factors)
  assert_read_alike(encoded, tmp_path)


@pytest.mark.parametrize('array', [photo(17, 31), photo(17, 31)[..., 0]],
                         ids=['colour', 'grey'])
def test_pngs(tmp_path, array):
  encoded = file(array, 'png')
  found = assert_read_alike(encoded, tmp_path)
  np.testing.assert_array_equal(
      found, np.broadcast_to(array.reshape(17, 31, -1), found.shape)
  )
  assert pictures.plain(encoded).file == encoded


def test_camvids_jpegs(tmp_path):
  root = real_root()
  files = sorted(Path(root / 'train').glob('*.jpg'))[::20]
  if not files:
    pytest.skip(f"no JPEGs of CamVid in {root}: set ADSEG_DATA")
  for path in files:
    assert_read_alike(path.read_bytes(), tmp_path)


@pytest.mark.parametrize('channels', [1, 2, 3, 4])
def test_sixteen_bits_become_the_upper_eight(tmp_path, channels):
  array = np.random.default_rng(0).integers(0, 65536, (5, 7, channels))
  rows = [row.astype('>u2').tobytes() for row in array]
  kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
  found = assert_read_alike(layouts.raw_png(rows, 7, 16, kind), tmp_path)
  colours = array[..., :3] if channels > 2 else array[..., :1].repeat(3, 2)
  np.testing.assert_array_equal(found, colours >> 8)


COLOURS = Image.fromarray(photo(17, 31))
CLEAR = COLOURS.copy()
CLEAR.putalpha(100)


@pytest.mark.parametrize('encoded,grey', [
    (file(COLOURS, 'png', 'P'), False),
    (file(COLOURS.quantize(5), 'png', transparency=b'\1\2\3'), False),
    (file(COLOURS, 'png', transparency=(1, 2, 3)), False),
    (file(COLOURS.convert('L'), 'png', transparency=3), True),
    (file(CLEAR, 'png'), False),
    (file(CLEAR.convert('LA'), 'png'), True),
    (file(COLOURS, 'png', '1'), True),
    (file(COLOURS, 'gif'), False),
    (file(CLEAR, 'gif'), False),
    (file(COLOURS, 'bmp'), False),
    (file(COLOURS, 'tiff'), False),
    (file(COLOURS.convert('L'), 'tiff'), True),
    (file(COLOURS, 'tiff', 'CMYK'), False),
    (file(COLOURS, 'jpeg', 'CMYK'), False),
    (file(photo(17, 31)[..., 0].astype(np.uint16) << 8, 'tiff'), True),
    (file(CLEAR, 'webp', lossless=True), False),
    (file(COLOURS, 'tiff', 'YCbCr'), False),
], ids=[
    'palette', 'clear palette', 'clear colour', 'clear grey', 'RGBA', 'LA',
    '1 bit', 'GIF', 'clear GIF', 'BMP', 'TIFF', 'grey TIFF', 'CMYK TIFF',
    'CMYK JPEG', '16-bit TIFF', 'WebP', 'YCbCr TIFF',
])
def test_other_kinds_are_kept_as_plain_pngs(tmp_path, encoded, grey):
  image = assert_read_alike(encoded, tmp_path)
  kept = Image.open(io.BytesIO(pictures.plain(encoded).file))
  assert kept.format == 'PNG' and kept.mode == ('L' if grey else 'RGB')
  assert not kept.info.get('transparency')
  assert image.std() > 30  # it shows something


def test_a_second_picture_in_the_file_is_left_out(tmp_path):
  first, second = photo(17, 31), photo(17, 31)[::-1]
  for kind, still in (('mpo', 'jpeg'), ('png', 'png')):
    encoded = file(first, kind, save_all=True, append_images=[
        Image.fromarray(second)
    ])
    found = assert_read_alike(encoded, tmp_path)
    np.testing.assert_array_equal(found, trained_on(file(first, still)))


def stored_in(orientation, scene):
  """What a camera stores of a scene, held in one of eight ways."""
  return np.ascontiguousarray({
      1: scene, 2: scene[:, ::-1], 3: scene[::-1, ::-1], 4: scene[::-1],
      5: scene.transpose(1, 0, 2), 6: np.rot90(scene),
      7: np.rot90(scene.transpose(1, 0, 2), 2), 8: np.rot90(scene, -1),
  }[orientation])


def tagged(orientation):
  exif = Image.Exif()
  exif[0x0112] = orientation
  return exif


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('kind', ['png', 'tiff', 'jpeg'])
def test_exif_turns_a_picture_upright(tmp_path, kind, orientation):
  scene = photo(16, 24)
  encoded = file(
      stored_in(orientation, scene), kind, exif=tagged(orientation)
  )
  found = assert_read_alike(encoded, tmp_path)
  if kind == 'jpeg':  # The loss is not the same along rows and columns.
    plain = trained_on(file(stored_in(orientation, scene), kind))
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    scene = stored_in(inverse, plain)
  np.testing.assert_array_equal(found, scene)
  kept = pictures.plain(encoded)
  assert kept.size == (24, 16) and kept.turned == (orientation > 1)
  # Nothing turns it again.
  assert pictures.plain(kept.file) == (kept.file, kept.size, False)


def test_a_tag_that_a_png_quotes_in_text_counts(tmp_path):
  scene = photo(16, 24)
  xmp = b'<x tiff:Orientation="3"/>'
  encoded = file(scene[::-1, ::-1].copy(), 'png')
  text = b'XML:com.adobe.xmp\0\0\0\0\0' + xmp
  chunk = struct.pack('>I', len(text)) + b'iTXt' + text
  chunk += struct.pack('>I', zlib.crc32(b'iTXt' + text))
  encoded = encoded[:33] + chunk + encoded[33:]
  np.testing.assert_array_equal(assert_read_alike(encoded, tmp_path), scene)


@pytest.mark.parametrize('encoded,why', [
    (b'text', 'cannot identify its format'),
    (file(np.ones((2, 2), np.float32), 'tiff'), '32 bits per channel'),
    (file(CLEAR, 'png')[:-200], 'truncated'),
    (file(COLOURS, 'jpeg', exif=tagged(6))[:-200], 'truncated'),
])
def test_what_cannot_be_read_says_why(encoded, why):
  for reader in (pictures.plain, pictures.read):
    with pytest.raises(pictures.Unreadable, match=why):
      reader(encoded)


@pytest.mark.parametrize('size', [(17, 31), (5, 40), (40, 9)])
def test_resize_is_pillows_bicubic(size):
  image = photo(17, 31)
  found = pictures.resize(image, size)
  assert found.dtype == np.uint8 and found.shape == (*size, 3)
  np.testing.assert_array_equal(found, np.asarray(
      Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC)
  ))
