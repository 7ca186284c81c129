import pytest

from adseg_jax.data.classes import read_classes, table_of, to_text
from adseg_jax.data.text import decode, lines_of
from adseg_jax.errors import UserError

PLAIN = 'void\ngrass\nroad\n'


def read(tmp_path, content):
  path = tmp_path / 'classes.txt'
  if isinstance(content, str):
    content = content.encode()
  path.write_bytes(content)
  return read_classes(path)


@pytest.mark.parametrize('content', [
    PLAIN.encode(), ('\ufeff' + PLAIN).encode(), PLAIN.encode('utf-16'),
    PLAIN.encode('utf-16-le'), PLAIN.encode('utf-16-be'),
    PLAIN.encode('utf-32'), PLAIN.replace('\n', '\r\n').encode(),
    PLAIN.replace('\n', '\r').encode(), b'\n void \n\n\tgrass\nroad',
    b'VOID\ngrass\nroad', b'# mine\nVoid\ngrass # green\nroad',
    b'"void"\n"grass"\n"road"\n', b'id,name\n0,void\n1,grass\n2,road\n',
    b'0 void\n1 grass\n2 road\n', b'void,0\ngrass,1\nroad,2\n',
    b'0: void\n1: grass\n2: road\n', b'Pixel Value, Class\n0, void\n'
    b'1, grass\n2, road\n',
])
def test_one_list_in_many_forms(tmp_path, content):
  table = read(tmp_path, content)
  assert table.classes == ('grass', 'road')
  assert table.names == ('void', 'grass', 'road')
  assert table.ids == (255, 0, 1) and table.values == (0, 1, 2)
  assert not table.colours
  assert table.said.startswith('2 classes, void is line ')


@pytest.mark.parametrize('content', [
    'cat 48 112 32\nback 0 0 0\nvoid 1 1 1\n',
    'cat:48,112,32::\nback:0,0,0:tail:run\nvoid:1,1,1::\n',
    '# label:color_rgb:parts:actions\ncat:48,112,32::\nback:0,0,0::\n'
    'Void:1,1,1::\n',
    'cat (48, 112, 32)\nback [0,0,0]\nvoid: 1 1 1\n',
    'cat #307020\nback #000000\nvoid #010101\n',
    '#307020 cat\n#000000 back\n#010101 void\n',
    '48 112 32 cat\n0 0 0\tback\n1 1 1 void\n',
    'name,r,g,b\ncat,48,112,32\nback,0,0,0\nvoid,1,1,1\n',
    'Name R G B\ncat 48 112 32\nback 0 0 0\nvoid 1 1 1\n',
    'name;id;b;g;r\ncat;0;32;112;48\nback;1;0;0;0\nvoid;2;1;1;1\n',
    '0 cat 48 112 32\n1 back 0 0 0\n2 void 1 1 1\n',
])
def test_one_table_of_colours_in_many_forms(tmp_path, content):
  table = read(tmp_path, content)
  assert table.names == ('cat', 'back', 'void')
  assert table.colours == ((48, 112, 32), (0, 0, 0), (1, 1, 1))
  assert table.palette == ((48, 112, 32), (0, 0, 0))
  assert table.ids == (0, 1, 255) and table.values == (0, 1, 2)


@pytest.mark.parametrize('content, names', [
    ('road [wet]\nmark [/]\n', ('road [wet]', 'mark [/]')),
    ('car, red\ncar, blue\n', ('car, red', 'car, blue')),
    ('a|b\nc:d\n', ('a|b', 'c:d')),
    ('lane 1\nlane 2\nlane 3\n', ('lane 1', 'lane 2', 'lane 3')),
    ('2 wheeler\ncar\n', ('2 wheeler', 'car')),
    ('zone 1 1 2 3\nzone 2 4 5 6\n', ('zone 1', 'zone 2')),
    ('name,r,g,b\nred, light,1,2,3\nb,4,5,6\n', ('red, light', 'b')),
    ('"label"\n"a ""b"" #1"\n', ('label', 'a "b" #1')),
    ('0\n1\n2\n', ('0', '1', '2')),
    ('C#\nF #2\n', ('C#', 'F #2')), ('sky # a # b\nroad\n', ('sky', 'road')),
    ('straße\n道路\n', ('straße', '道路')),
    (('e\u0301a\nb\n'), ('éa', 'b')),
    ('straße\ntwo\n'.encode('latin-1'), ('straße', 'two')),
    ('<b>sky\nroad\n', ('<b>sky', 'road')),
])
def test_names_are_whole(tmp_path, content, names):
  assert read(tmp_path, content).names == names


def test_values_are_those_that_are_written(tmp_path):
  table = read(tmp_path, '1 wall\n3 sky\n0 void\n')
  assert table.values == (1, 3, 0) and table.ids == (0, 1, 255)
  assert 'values are 1 3' in table.said


def test_labelme_ignores_without_a_number(tmp_path):
  table = read(tmp_path, '__ignore__\n_background_\ncat\n')
  assert table.names == ('void', 'background', 'cat')
  assert table.values == (255, 0, 1) and table.ids == (255, 0, 1)
  assert 'void is line 1' in table.said and 'labelme' in table.said
  assert read(tmp_path, '_background_\ncat\n').values == (0, 1)


def test_what_was_understood_is_one_line(tmp_path):
  said = read(tmp_path, '# x\n\nsky\nvoid\nroad\nVOID\n'.encode('utf-16')).said
  assert said == (
      '2 classes, void is lines 4 and 6 (UTF-16, comments left out)'
  )
  assert "'ignore' is a class" in read(tmp_path, 'ignore\na\n').said


@pytest.mark.parametrize('content, text', [
    ('sky 1 2 3\nroad\n', "line 2: 'road' has no colour"),
    ('sky\nsky\n', 'line 2: sky stands there twice, also in line 1'),
    ('sky 1 1 1\n\nroad 1 1 1\n', 'line 3: the colour (1, 1, 1) stands'),
    ('1 sky\n1 road\n', 'the value 1 stands there twice'),
    ('sky 1 1 256\nroad 1 1 1\n', 'line 1: the colour (1, 1, 256) is beyond'),
    ('sky\nvoid\n', '1 class:'), ('crack\n', '2 to 255'), ('', '0 classes'),
    ('\n'.join(f'c{i}' for i in range(256)), '256 classes'),
    ('0 back\n255 thing\n', 'line 2: the value 255 of thing'),
    ('0 back\n300 thing\n', 'line 2: the value 300'),
    ('name\nsky\nroad\n', "line 1: 'name' looks like a header"),
    ('class name\nsky\nroad\n', 'looks like a header'),
    ('name,r,g,b\nsky,1,2\nroad,1,2,4\n', "line 2: 'sky,1,2' is no"),
    ('id,name\n0,sky\nx,road\n', "line 3: 'x,road' is no"),
    ('sky:1,2,3::\nroad 4 5 6\n', "line 2: 'road 4 5 6' is no `name:r,g,b::`"),
    ('a\n_background_\nb\n', 'line 2'), ('a\n__ignore__\nb\n', 'line 2'),
    ('1 2 3\n4 5 6\n', "line 1: '1 2 3' has no name"),
    ('sky 7\nroad 23\n', "line 1: 'sky 7' ends in a number"),
    ('sky 1 2 3 255\nroad 4 5 6 255\n', 'four numbers'),
    ('sky (1, 2, 3, 255)\nroad (4, 5, 6, 255)\n', 'four numbers'),
    ('1 2 3 sky\nroad\n', "line 2: 'road' has no colour"),
    ('#010203 sky\nroad\n', "line 2: 'road' has no colour"),
    ('name,r,g\nsky,1,2\nroad,3,4\n', 'line 1'),
    ('["sky", "road"]', 'JSON'), ('[\n"sky",\n"road"\n]\n', 'JSON'),
    ('[{"name": "sky"}, {"name": "road"}]', 'JSON'),
    ('names:\n- sky\n- road\n', 'YAML'),
    ('- sky\n- road\n', 'YAML'), ('<?xml version="1.0"?>\n<a/>\n', 'XML'),
    ('"sky" blue\n"road" 1\n', 'quotes'),
    (b'sky\nro\x00\x01ad\n', 'line'), (b'\x89PNG\r\n\x1a\n\x00\x00', 'classes'),
])
def test_the_rest_is_refused_by_line(tmp_path, content, text):
  with pytest.raises(UserError) as info:
    read(tmp_path, content)
  message = str(info.value)
  assert text in message and str(tmp_path / 'classes.txt') in message
  assert '\n' not in message


def test_a_cut_file_is_refused(tmp_path):
  with pytest.raises(UserError, match='save it as UTF-8'):
    read(tmp_path, b'\xff\xfes\0k')
  with pytest.raises(UserError, match='cannot be read'):
    read_classes(tmp_path / 'absent.txt')


def test_encodings_are_named():
  assert decode('é'.encode()) == ('é', '')
  assert decode('é'.encode('latin-1')) == ('é', 'Latin-1')
  assert decode('é'.encode('utf-16')) == ('é', 'UTF-16')


def test_written_classes_read_back(rng):
  """Whatever their names look like."""
  parts = ['a', '1', ' ', '#', '"', ',', ':', '::', '[', '255', 'void2', 'é']
  for _ in range(100):
    names = {
        ''.join(rng.choice(parts, rng.integers(1, 6))).strip()
        for _ in range(5)
    } - {'', '"'}
    if len(names) < 2:
      continue
    palette = [(int(r), 1, 2) for r in rng.permutation(256)[:len(names)]]
    table = table_of(lines_of(to_text(sorted(names), palette)), '', 'x')
    assert table.classes == tuple(sorted(names))
    assert list(table.palette) == palette
