"""The forms in which tools write lists of classes -> rows.

Own lines, CVAT's labelmap.txt, labelme's labels.txt, tables with a header as
Roboflow's _classes.csv. A form that shows but is not kept throughout is
refused by line; so is one that could mean two things.
"""

import json
import re
from typing import NamedTuple

from adseg_jax.data.dataset import VOID
from adseg_jax.data.text import Line
from adseg_jax.errors import UserError

_CVAT = re.compile(r'(.+):(\d+),\s*(\d+),\s*(\d+):[^:]*:[^:]*')
_QUOTED = re.compile(r'"((?:[^"]|"")*)"(.*)')
_GAP = r'[\s,;:|=]+'
_COLOUR_LAST = re.compile(
    rf'(.*?){_GAP}[(\[]?(\d+)[\s,;]+(\d+)[\s,;]+(\d+)[)\]]?[\s,;]*'
)
_HEX_LAST = re.compile(rf'(.*?){_GAP}#([0-9a-fA-F]{{6}})[\s,;]*')
_HEX_FIRST = re.compile(rf'#([0-9a-fA-F]{{6}}){_GAP}(.+)')
_COLOUR_FIRST = re.compile(rf'(\d+)[\s,;]+(\d+)[\s,;]+(\d+){_GAP}(\D.*)')
_NUMBER_FIRST = re.compile(r'(\d+)(?:\s*[:,;=|)]\s*|\.\s+|\s+-\s+|\s+)(.+)')
_NUMBER_LAST = re.compile(r'(.*\S)(\s*[:,;=|\t]\s*|\s+)(\d+)')
_NAMELESS = re.compile(r'[\d\s,;:|=#()\[\]-]*')
_COMMENT = re.compile(r'#(?![0-9a-fA-F]{6}\b).*|.*\s(#\s.*)')
_HEADS = {
    'value': (
        'id', 'index', 'value', 'pixel value', 'pixel_value', 'class id',
        'class_id', 'classid', 'label id', 'label_id',
    ),
    'name': (
        'name', 'class', 'label', 'class name', 'class_name', 'classname',
        'label name', 'label_name', 'category', 'names', 'classes', 'labels',
        'categories', 'class names', 'class_names',
    ),
    'r': ('r', 'red'), 'g': ('g', 'green'), 'b': ('b', 'blue'),
}
_ROLES = {word: role for role, words in _HEADS.items() for word in words}


class Row(NamedTuple):
  """A class, or void, as a line has it.

  Attributes:
    line: its number in the file, from 1.
    name: as it is written.
    value: in labels that hold ids.
    colour: None where the file has none.
  """

  line: int
  name: str
  value: int
  colour: tuple[int, int, int] | None


def rows_of(lines: list[Line], path) -> tuple[list[Row], list[str]]:
  """The rows that lines say, and notes on their form.

  Raises:
    UserError: a line can't be understood.
  """
  _refuse_markup(lines, path)
  kept, commented = _without_comments(lines)
  notes = ['comments left out'] if commented else []
  for form in (_cvat, _headed):
    if found := form(kept, path):
      return found[0], [found[1], *notes]
  rows = _own(kept, path)
  rows, more = _labelme(rows, path)
  return rows, more + notes


def refusal(path, line: Line, what: str) -> UserError:
  """A UserError about a line."""
  return UserError(f'{path}, line {line.number}: {line.text!r} {what}')


def _refuse_markup(lines, path):
  text = '\n'.join(line.text for line in lines)
  try:
    is_json = isinstance(json.loads(text), (dict, list))
  except ValueError:
    is_json = False
  yaml = [
      line for line in lines if re.fullmatch(r'(names|nc|path):.*', line.text)
  ] or (lines if all(line.text.startswith('- ') for line in lines) else [])
  xml = [line for line in lines[:1] if re.match('<[?!]', line.text)]
  for form, found in (
      ('JSON', lines if is_json else []), ('YAML', yaml), ('XML', xml)
  ):
    if found:
      raise refusal(
          path, found[0], f'shows that this is {form}: write a class on each '
          'line, in the order of their ids'
      )


def _without_comments(lines):
  kept, commented = [], False
  for line in lines:
    match = None if line.text.startswith('"') else _COMMENT.fullmatch(line.text)
    if match is None:
      kept.append(line)
    else:
      commented = True
      text = line.text[:match.start(1)].strip() if match[1] else ''
      kept += [line._replace(text=text)] if text else []
  return kept, commented


def _cvat(lines, path):
  """`name:r,g,b:parts:actions`."""
  found = [_CVAT.fullmatch(line.text) for line in lines]
  if not any(found):
    return None
  rows = []
  for place, (line, match) in enumerate(zip(lines, found, strict=True)):
    if match is None:
      raise refusal(
          path, line, 'is no `name:r,g,b::`, but other lines are, as CVAT '
          'writes them'
      )
    rows.append(Row(
        line.number, match[1].strip(), place, _numbers(match.groups()[1:])
    ))
  return rows, "CVAT's form"


def _headed(lines, path):
  """A table whose first line names its columns."""
  head = lines[0] if lines else Line(1, '')
  gap = next((one for one in ',;\t|' if one in head.text), None)
  text = head.text.casefold()
  words = [text] if text in _ROLES else [
      word.strip(' "') for word in text.split(gap)
  ]
  roles = [_ROLES.get(word) for word in words]
  if None in roles or 'name' not in roles or len(set(roles)) < len(roles):
    return None
  if len(roles) == 1:
    if head.text.startswith('"'):
      return None
    raise refusal(
        path, head, 'looks like a header: delete it, or put it in quotes '
        'where it is a class'
    )
  return [
      _headed_row(line, place, roles, gap, path)
      for place, line in enumerate(lines[1:])
  ], f'line {head.number} is a header'


def _headed_row(line, place, roles, gap, path):
  # What has too many parts has them in its name.
  before = roles.index('name')
  *left, rest = line.text.split(gap, before)
  after = len(roles) - 1 - before
  name, *right = rest.rsplit(gap, after) if after else [rest]
  cells = dict(zip(roles, (*left, name, *right), strict=False))
  numbers = {k: v.strip(' "') for k, v in cells.items() if k != 'name'}
  name = cells.get('name', '').strip().strip('"').strip()
  wanted = set(roles) - {'name'}
  if not name or numbers.keys() != wanted or not all(
      number.isdecimal() for number in numbers.values()
  ):
    raise refusal(path, line, f'is no {", ".join(roles)}, as line 1 says')
  colour = None
  if 'r' in roles:
    if not {'g', 'b'} <= wanted:
      raise refusal(path, line, 'has no green or no blue')
    colour = tuple(int(numbers[part]) for part in 'rgb')
  return Row(line.number, name, int(numbers.get('value', place)), colour)


def _own(lines, path) -> list[Row]:
  """A name on each line, with a number or a colour on all or on none."""
  texts = [line.text for line in lines]
  quoted = [_QUOTED.fullmatch(text) for text in texts]
  # What stands for a name while numbers are looked for around it.
  bare = [
      f'q{q[2]}' if q else text for q, text in zip(quoted, texts, strict=True)
  ]
  bare, colours = _colours(lines, bare, path)
  bare, values = _values(lines, bare, colours, path)
  rows = []
  for place, (line, q, name) in enumerate(
      zip(lines, quoted, bare, strict=True)
  ):
    value = values[place] if values else place
    if q and name != 'q':
      raise refusal(path, line, 'has more behind the quotes than a colour')
    if q:
      name = q[1].replace('""', '"').strip()
    elif _NAMELESS.fullmatch(name) and name != str(place):
      name = ''
    if not name:
      raise refusal(path, line, 'has no name')
    rows.append(Row(line.number, name, value, colours and colours[place]))
  return rows


def _colours(lines, texts, path):
  """Names without their colours, and the colours, if lines have some."""
  for pattern, base in ((_COLOUR_LAST, 10), (_HEX_LAST, 16)):
    found = [pattern.fullmatch(text) for text in texts]
    if not any(found):
      continue
    if not all(found):
      raise refusal(
          path, lines[found.index(None)], 'has no colour, but others have: '
          'give all lines one, or none'
      )
    colours = [
        _numbers(m.groups()[1:]) if base == 10
        else tuple(bytes.fromhex(m[2])) for m in found
    ]
    four = all(re.search(rf'{_GAP}\d+$', m[1]) for m in found)
    if four and all(colour[2] == 255 for colour in colours):
      raise refusal(
          path, lines[0], 'ends in four numbers: give red, green and blue '
          'alone'
      )
    return [m[1].strip() for m in found], colours
  found = [_HEX_FIRST.fullmatch(text) for text in texts]
  if texts and all(found):
    return [m[2].strip() for m in found], [
        tuple(bytes.fromhex(m[1])) for m in found
    ]
  found = [_COLOUR_FIRST.fullmatch(text) for text in texts]
  if texts and all(found):
    return [m[4].strip() for m in found], [
        _numbers(m.groups()[:3]) for m in found
    ]
  return texts, None


def _values(lines, texts, colours, path):
  """Names without their values, and the values, if lines have some."""
  found = [_NUMBER_FIRST.fullmatch(text) for text in texts]
  if texts and all(found):
    return [m[2].strip() for m in found], [int(m[1]) for m in found]
  found = [_NUMBER_LAST.fullmatch(text) for text in texts]
  if colours or not texts or not all(found):
    return texts, None
  stems = [m[1].strip() for m in found]
  numbers = [int(m[3]) for m in found]
  if all(m[2].strip() or '\t' in m[2] for m in found):
    return stems, numbers
  if len(set(stems)) == len(stems) and numbers != list(range(len(stems))):
    raise refusal(
        path, lines[0], f'ends in a number: where it is the value in labels, '
        f'write `{numbers[0]} {stems[0]}`; where it is part of the name, put '
        'that in quotes'
    )
  return texts, None


def _labelme(rows, path):
  """`__ignore__` is void and has no number; `_background_` is 0."""
  names = [row.name for row in rows]
  ignores = names[:1] == ['__ignore__']
  if not {'__ignore__', '_background_'} & set(names):
    return rows, []
  for place, row in enumerate(rows):
    wanted = {'__ignore__': 0, '_background_': int(ignores)}.get(row.name)
    if wanted not in (None, place):
      raise refusal(
          path, Line(row.line, row.name), f'must be line {wanted + 1}, as '
          'labelme writes it'
      )
  return [
      row._replace(
          name={'__ignore__': 'void', '_background_': 'background'}.get(
              row.name, row.name
          ),
          value=row.value - ignores if place or not ignores else VOID,
      )
      for place, row in enumerate(rows)
  ], ["labelme's form"]


def _numbers(texts) -> tuple[int, ...]:
  return tuple(map(int, texts))
