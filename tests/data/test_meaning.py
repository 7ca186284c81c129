"""How labels of every mode are read: the whole folder in one way."""

import layouts
import numpy as np
import pytest
from PIL import Image

from adseg_jax.data import labels, meaning
from adseg_jax.data.classes import read_classes
from adseg_jax.data.labels import BadFile
from adseg_jax.data.meaning import Meaning, decide
from adseg_jax.data.pixels import read_pixels

COLOURS = np.array([[128, 64, 128], [0, 0, 0], [255, 255, 255]], np.uint8)
STREET = 'road 128 64 128\nsky 0 0 0\nwall 255 255 255\n'
GREYS = 'back 0 0 0\nskin 127 127 127\nlesion 255 255 255\n'
TRUTH = np.array([[0, 1, 2, 2], [1, 1, 2, 0]])
TWO = np.array([[0, 1, 1, 0], [1, 1, 1, 1]])


def palette(array, colours):
  picture = Image.fromarray(np.asarray(array, np.uint8), 'L')
  picture.putpalette(np.asarray(colours, np.uint8).tobytes())
  return picture


def with_alpha(array):
  return np.dstack([array, np.full(array.shape[:2], 255, np.uint8)])


def deep_colour(array, path):
  """A PNG of 16 bits per channel."""
  rows = [row.astype('>u2').tobytes() for row in array]
  path.write_bytes(layouts.raw_png(rows, array.shape[1], 16, 2))


def table_of(tmp_path, text):
  path = tmp_path / 'classes.txt'
  path.write_text(text)
  return read_classes(path)


def read(tmp_path, text, files):
  """The ids of label files, or their BadFile, and the Meaning."""
  paths = []
  for name, picture in files.items():
    path = tmp_path / (name if '.' in name else f'{name}.png')
    if not isinstance(picture, Image.Image):
      picture = Image.fromarray(np.asarray(picture))
    picture.save(path)
    paths.append(path)
  found = Meaning(table_of(tmp_path, text), paths, tmp_path)
  result = {}
  for name, path in zip(files, paths, strict=True):
    try:
      result[name] = found.read(path).ids.tolist()
    except BadFile as bad:
      result[name] = bad
  return result, found


GREY3 = np.array([0, 127, 255], np.uint8)[TRUTH]
FORMS = {
    'rgb': np.dstack([GREY3] * 3),
    'rgba': with_alpha(np.dstack([GREY3] * 3)),
    'grey': GREY3,
    'grey and alpha': with_alpha(GREY3),
    'sixteen bits': GREY3.astype(np.uint16) * 257,
    'sixteen bits, shifted': GREY3.astype(np.uint16) << 8,
    'sixteen bits, not scaled': GREY3.astype(np.uint16),
    'palette': palette(TRUTH, [[g] * 3 for g in (0, 127, 255)]),
    'palette in another order': palette(
        2 - TRUTH, [[g] * 3 for g in (255, 127, 0)]
    ),
    'a.tif': GREY3, 'a.bmp': GREY3, 'a.gif': GREY3,
    'b.tif': np.dstack([GREY3] * 3), 'b.bmp': np.dstack([GREY3] * 3),
    'c.tif': GREY3.astype(np.uint16) * 257,
    'd.tif': GREY3.astype(np.int32), 'e.tif': GREY3.astype(np.float32),
}


@pytest.mark.parametrize('form', FORMS)
def test_colours_are_read_in_every_mode(tmp_path, form):
  found, how = read(tmp_path, GREYS, {form: FORMS[form]})
  assert found == {form: TRUTH.tolist()}
  assert how.said() == '3 classes; pixels are read by colour'


def test_all_modes_together_are_one_folder(tmp_path):
  found, _ = read(tmp_path, GREYS, FORMS)
  assert found == dict.fromkeys(FORMS, TRUTH.tolist())


@pytest.mark.parametrize('form, picture', [
    ('grey', 255 * (TWO == 1).astype(np.uint8)), ('bit', TWO == 1),
    ('palette', palette(TWO, [[0] * 3, [255] * 3])),
])
@pytest.mark.parametrize('text, wanted', [
    ('back 0 0 0\nthing 255 255 255\n', TWO),
    ('thing 255 255 255\nback 0 0 0\n', 1 - TWO),
])
def test_masks_in_black_and_white(tmp_path, form, picture, text, wanted):
  found, _ = read(tmp_path, text, {form: picture})
  assert found[form] == wanted.tolist()


@pytest.mark.parametrize('grey', [
    255 * TWO.astype(np.uint8), TWO == 1,
    with_alpha(255 * TWO.astype(np.uint8)), 65535 * TWO.astype(np.uint16),
    np.zeros((2, 4), np.uint8),
])
def test_colours_that_a_tool_saved_as_grey(tmp_path, grey):
  """Sky and wall are black and white: ImageMagick stores no colours then."""
  files = {'a': COLOURS[TRUTH], 'b': grey}
  found, how = read(tmp_path, STREET, files)
  white = np.asarray(grey)
  white = white[..., 0] if white.ndim == 3 else white
  assert found['a'] == TRUTH.tolist()
  assert found['b'] == np.where(white > 0, 2, 1).tolist()
  also = ', also b.png, which could be ids' * (grey.dtype == np.uint8)
  assert how.said().endswith(f'by colour{also}')


@pytest.mark.parametrize('files, odd', [
    ({'a': COLOURS[TRUTH], 'b': COLOURS[TRUTH], 'c': TRUTH.astype(np.uint8)},
     'c'),
    ({'a': COLOURS[TRUTH], 'b': TRUTH.astype(np.uint8),
      'c': TRUTH.astype(np.uint8)}, 'a'),
])
def test_ids_among_colours_are_refused_by_name(tmp_path, files, odd):
  found, _ = read(tmp_path, STREET, files)
  assert found[odd].kind == meaning.MIXED
  assert 'store all labels in one way' in found[odd].detail
  for name in files.keys() - {odd}:
    assert found[name] == TRUTH.tolist()


def test_two_meanings_are_refused_with_advice(tmp_path):
  text = 'one 1 1 1\nnought 0 0 0\n'
  found, _ = read(tmp_path, text, {'a': TWO.astype(np.uint8)})
  assert found['a'].kind == meaning.AMBIGUOUS
  assert 'its grey 0 is nought when read by colour, but one when' in (
      found['a'].detail
  )
  assert 'store labels as RGB' in found['a'].detail
  # As it says.
  rgb = np.dstack([TWO.astype(np.uint8)] * 3)
  assert read(tmp_path, text, {'a': rgb})[0]['a'] == (1 - TWO).tolist()
  found, _ = read(tmp_path, 'one\nnought\n', {'a': TWO.astype(np.uint8)})
  assert found['a'] == TWO.tolist()


def test_ids_beside_colours_that_are_for_show(tmp_path):
  found, how = read(
      tmp_path, 'a 9 9 9\nvoid 8 8 8\nb 7 7 7\n', {'a': TRUTH.astype(np.uint8)}
  )
  assert found['a'] == np.array([0, 255, 1])[TRUTH].tolist()
  assert how.said().endswith('read as ids')


@pytest.mark.parametrize('picture', [
    TRUTH.astype(np.uint8), TRUTH.astype(np.uint16),
    palette(TRUTH, COLOURS), with_alpha(TRUTH.astype(np.uint8)),
    np.dstack([TRUTH.astype(np.uint8)] * 3),
    palette(TRUTH, [[i] * 3 for i in range(256)]),
])
def test_without_colours_values_are_ids(tmp_path, picture):
  found, how = read(tmp_path, 'a\nb\nc\n', {'a': picture})
  assert found['a'] == TRUTH.tolist()
  assert how.said().endswith('read as ids')


@pytest.mark.parametrize('ending', ['tif', 'bmp', 'gif'])
def test_files_that_are_no_png(tmp_path, ending):
  name = f'a.{ending}'
  found, _ = read(tmp_path, 'a\nb\nc\n', {name: TRUTH.astype(np.uint8)})
  assert found[name] == TRUTH.tolist()


def test_a_grey_palette_that_is_no_index_is_not_guessed(tmp_path):
  """GIF writers leave out values that no pixel has: 0 and 2 become 0 and 1."""
  picture = palette(TWO, [[0] * 3, [2] * 3])
  for text in 'a\nb\nc\n', 'a\nb\nvoid\n':
    found, _ = read(tmp_path, text, {'a': picture})
    assert found['a'].kind == meaning.AMBIGUOUS
  assert 'store ids as 8-bit grey PNGs' in found['a'].detail
  # Where one reading leaves the classes, the other is right.
  picture = palette(TRUTH, [[0] * 3, [1] * 3, [255] * 3])
  found, _ = read(tmp_path, 'a\nb\n', {'a': picture})
  assert found['a'] == [[0, 1, 255, 255], [1, 1, 255, 0]]


def test_one_bit_is_an_id_unless_white_is_void_elsewhere(tmp_path):
  assert read(tmp_path, 'a\nb\n', {'a': TWO == 1})[0]['a'] == TWO.tolist()
  eight = np.array([[0, 1, 255, 255]], np.uint8)
  found, _ = read(tmp_path, 'a\nb\n', {'a': TWO == 1, 'b': eight})
  assert found['a'].kind == meaning.AMBIGUOUS
  found, _ = read(
      tmp_path, 'a\nb\n', {'a': TWO == 1, 'b': 255 * TWO.astype(np.uint8)}
  )
  assert found['a'].kind == meaning.AMBIGUOUS


def test_written_values_are_followed(tmp_path):
  found, _ = read(tmp_path, '1 a\n2 b\n', {
      'a': TRUTH.astype(np.uint8) + (TRUTH == 0), 'b': TRUTH.astype(np.uint8),
  })
  assert found['a'] == [[0, 0, 1, 1], [0, 0, 1, 0]]
  assert found['b'].kind == labels.STRANGE_IDS
  assert 'holds the id 0, but classes.txt has 1, 2' in found['b'].detail


def clear(values):
  """Red, of which a half is transparent."""
  picture = np.zeros((2, 4, 4), np.uint8)
  picture[..., 0], picture[:, :2, 3] = values, 255
  return picture


@pytest.mark.parametrize('text, picture, kind, words', [
    (STREET, clear(0), labels.COLOURED, 'both opaque and transparent'),
    ('a\nb\n', COLOURS[TRUTH], labels.COLOURED, 'classes.txt has no colours'),
    (STREET, np.full((2, 2), 9, np.uint8), labels.STRANGE_COLOURS,
     '(9, 9, 9), which no class has in classes.txt'),
    (STREET, np.full((2, 2), 900, np.uint16), labels.STRANGE_COLOURS,
     'the value 900'),
    ('a\nb\n', np.full((2, 2), 2, np.uint8), labels.STRANGE_IDS,
     'id 2, but classes.txt has 2 lines'),
])
def test_what_classes_do_not_explain(tmp_path, text, picture, kind, words):
  found, _ = read(tmp_path, text, {'a': picture})
  assert found['a'].kind == kind and words in found['a'].detail


@pytest.mark.parametrize('save', [
    lambda path: Image.fromarray(GREY3).save(path, 'jpeg'),
    lambda path: Image.fromarray(GREY3).save(path, 'webp', lossless=False),
    lambda path: Image.fromarray(GREY3).save(path, 'tiff', compression='jpeg'),
    lambda path: Image.fromarray(GREY3).save(
        path, 'gif', save_all=True, append_images=[Image.fromarray(255 - GREY3)]
    ),
    lambda path: Image.fromarray(GREY3 / np.float32(2)).save(path, 'tiff'),
    lambda path: Image.fromarray(FORMS['rgb']).convert('CMYK').save(
        path, 'tiff'
    ),
    lambda path: path.write_bytes(b'nothing'),
])
def test_what_is_not_exact_is_refused(tmp_path, save):
  save(tmp_path / 'a.png')
  with pytest.raises(BadFile):
    read_pixels(tmp_path / 'a.png')


@pytest.mark.parametrize('factor, fine', [(1, 1), (256, 1), (257, 1), (300, 0)])
def test_sixteen_bits_a_channel(tmp_path, factor, fine):
  """Pillow gives the upper 8 bits: nothing but black, where all are below."""
  path = tmp_path / 'a.png'
  deep_colour(COLOURS[TRUTH % 2].astype(int) * factor // (4 - 3 * fine), path)
  how = Meaning(table_of(tmp_path, STREET), [path], tmp_path)
  if fine:
    assert how.read(path).ids.tolist() == (TRUTH % 2).tolist()
  else:
    with pytest.raises(BadFile, match='16 bits'):
      how.read(path)


def test_deciding_alone():
  both = {'colour': (0, 1), 'number': (1, 0), 'shade': (1, 0)}
  assert decide({'a': both}).refused['a'][0] == meaning.AMBIGUOUS
  only = {'colour': (0, 1)}
  assert decide({'a': both, 'b': only}).also == ('a',)
  assert decide({}).way == 'number' and decide({}, True).way == 'colour'
