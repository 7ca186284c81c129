import numpy as np
import pytest
from PIL import Image

from adseg_jax.inference.pictures import Shelf, Unreadable, find, names, read

COLOURS = np.arange(60, dtype=np.uint8).reshape(4, 5, 3) * 4


def test_modes(tmp_path):
  path = tmp_path / 'a.png'
  rgb = Image.fromarray(COLOURS)
  grey = Image.fromarray(COLOURS[..., 0])
  index = Image.fromarray(COLOURS[..., 0] % 3)
  index.putpalette([1, 2, 3, 40, 50, 60, 70, 80, 90])
  table = np.array([[1, 2, 3], [40, 50, 60], [70, 80, 90]])
  transparent = rgb.convert('RGBA')
  transparent.putalpha(7)
  repeated = COLOURS[..., :1].repeat(3, 2)
  for picture, expected, options in (
      (rgb, COLOURS, {}), (grey, repeated, {}),
      (transparent, COLOURS, {}), (grey.convert('LA'), repeated, {}),
      (index, table[COLOURS[..., 0] % 3], {}),
      (index, table[COLOURS[..., 0] % 3], {'transparency': b'\x01\x02\x03'}),
      (grey.point(lambda value: 255 * (value > 99), '1'),
       255 * (repeated > 99), {}),
  ):
    picture.save(path, **options)
    found = read(path)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


def test_what_cannot_be_read_says_why(tmp_path):
  path = tmp_path / 'a.tif'
  for picture in (
      Image.fromarray(np.ones((2, 2), np.float32)),
      Image.fromarray(np.ones((2, 2), np.int32)),
  ):
    picture.save(path)
    with pytest.raises(Unreadable, match='32 bits per channel'):
      read(path)
  path.write_text('text')
  with pytest.raises(Unreadable, match='cannot identify'):
    read(path)
  whole = tmp_path / 'b.png'
  rng = np.random.default_rng(0)
  Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(whole)
  whole.write_bytes(whole.read_bytes()[:2000])
  with pytest.raises(Unreadable, match='truncated'):
    read(whole)
  with pytest.raises(Unreadable, match='No such file'):
    read(tmp_path / 'missing.png')


@pytest.fixture
def folder(tmp_path):
  for name in ('a.png', 'b.JPG', 'sub/a.png', 'sub/a.tiff', 'out/labels/a.png',
               'notes.txt', '._a.png', '.ipynb_checkpoints/a-checkpoint.png',
               '__MACOSX/._a.png'):
    path = tmp_path / 'in' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
  return tmp_path / 'in'


def test_files_folders_and_patterns(folder):
  def found(*words, output='out'):
    files, empty = find(map(str, words), folder / output)
    return [str(file.relative_to(folder)) for file in files], empty

  assert found(folder) == (['a.png', 'b.JPG', 'sub/a.png', 'sub/a.tiff'], [])
  assert found(folder / 'notes.txt') == (['notes.txt'], [])
  assert found(folder / 'b.JPG', folder / '*.png') == (['b.JPG', 'a.png'], [])
  assert found(folder / 'a.png', folder)[0][:2] == ['a.png', 'b.JPG']
  names = found(folder / '**' / 'a.*', output='other')[0]
  assert sorted(names) == [
      'a.png', 'out/labels/a.png', 'sub/a.png', 'sub/a.tiff'
  ]
  none = str(folder / '*.gif')
  assert found(none, folder / 'b.JPG') == (['b.JPG'], [none])


def test_names_are_short_and_differ(folder):
  files = [folder / name for name in ('a.png', 'sub/a.png', 'sub/a.tiff')]
  assert names(files) == ['a', 'sub/a.png', 'sub/a.tiff']
  assert names(files[1:2]) == ['a']
  assert names([folder / 'v1.0.png']) == ['v1.0']


@pytest.mark.parametrize('ending', ['jpg', 'png', 'tif', 'webp'])
@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
def test_a_shelf_knows_the_size_of_what_it_reads(tmp_path, ending, orientation):
  exif = Image.Exif()
  exif[0x0112] = orientation
  path = tmp_path / f'a.{ending}'
  Image.new('RGB', (8, 4)).save(path, exif=exif)
  shelf = Shelf([path, tmp_path / 'missing.png'])
  assert shelf.read(0).shape[:2] == shelf.sizes[0]
  assert shelf.sizes[0] == ((8, 4) if orientation > 4 else (4, 8))
  assert shelf.read(1) is None and list(shelf.wrong) == [1]
