"""The forms in which tools write lists of classes -> rows.

Own lines, CVAT's labelmap.txt, labelme's labels.txt, tables with a header as
Roboflow's _classes.csv. A form that shows but is not kept throughout is
refused by line; so is one that could mean two things.
"""

import re
from typing import NamedTuple

from adseg_jax.data.dataset import VOID
from adseg_jax.data.text import Line
from adseg_jax.errors import UserError

_CVAT = re.compile(
    r'(?P<name>.+):(?P<r>\d+),\s*(?P<g>\d+),\s*(?P<b>\d+):[^:]*:[^:]*'
)
_QUOTED = re.compile(r'"((?:[^"]|"")*)"(.*)')
_GAP = r'[\s,;:|=]+'
_RGB = r'(?P<r>\d+)[\s,;]+(?P<g>\d+)[\s,;]+(?P<b>\d+)'
_HEX = r'#' + ''.join(f'(?P<{part}>[0-9a-fA-F]{{2}})' for part in 'rgb')
# What lines may say of a colour, and the base of its numbers.
_COLOURED = tuple((re.compile(form), base) for form, base in (
    (rf'(?P<name>.*?){_GAP}[(\[]?{_RGB}[)\]]?[\s,;]*', 10),
    (rf'(?P<name>.*?){_GAP}{_HEX}[\s,;]*', 16),
    (rf'{_HEX}{_GAP}(?P<name>.+)', 16),
    (rf'{_RGB}{_GAP}(?P<name>\D.*)', 10),
))
_OPACITY_LAST = re.compile(rf'.*?{_GAP}[(\[]?{_RGB}[\s,;]+255[)\]]?[\s,;]*')
_NUMBER_FIRST = re.compile(r'(\d+)(?:\s*[:,;=|)]\s*|\.\s+|\s+-\s+|\s+)(.+)')
_NUMBER_LAST = re.compile(r'(.*\S)(\s*[:,;=|\t]\s*|\s+)(\d+)')
_NAMELESS = re.compile(r'[\d\s,;:|=#()\[\]-]*')
_COMMENT = re.compile(r'^#(?![0-9a-fA-F]{6}\b).*|\s#\s.*')
# Words of a header without spaces and underscores -> what the column is.
_ROLES = {
    word: role for role, words in {
        'value': 'id index value pixelvalue classid labelid',
        'name': 'name class label category classname labelname '
        'names classes labels categories classnames',
        'r': 'r red', 'g': 'g green', 'b': 'b blue',
    }.items() for word in words.split()
}
# What no list of names holds -> the form that it shows.
_MARKUP = tuple((form, re.compile(shows)) for form, shows in (
    ('JSON', r'[\[{]\s*(["\[{]|$)'), ('YAML', '(names|nc|path):'),
    ('XML', '<[?!]'),
))
_LABELME = {'__ignore__': 'void', '_background_': 'background'}


class Row(NamedTuple):
  """A class, or void, as a line has it."""

  line: int  # its number in the file, from 1
  name: str  # as it is written
  value: int  # in labels that hold ids
  colour: tuple[int, int, int] | None  # None where the file has none


def rows_of(lines: list[Line], path) -> tuple[list[Row], list[str]]:
  """The rows that lines say, and notes on their form.

  Raises:
    UserError: a line can't be understood.
  """
  _refuse_markup(lines, path)
  kept = _without_comments(lines)
  notes = ['comments left out'] if kept != lines else []
  rows, form = (
      _cvat(kept, path) or _headed(kept, path)
      or _labelme(_own(kept, path), path)
  )
  return rows, [form, *notes] if form else notes


def _refusal(path, line: Line, what: str) -> UserError:
  return UserError(f'{path}, line {line.number}: {line.text!r} {what}')


def _refuse_markup(lines, path):
  listed = all(line.text.startswith('- ') for line in lines)
  for line in lines:
    form = 'YAML' if listed else next(
        (form for form, shows in _MARKUP if shows.match(line.text)), None
    )
    if form:
      raise _refusal(
          path, line, f'shows that this is {form}: write a class on each '
          'line, in the order of their ids'
      )


def _without_comments(lines) -> list[Line]:
  kept = [
      line if line.text.startswith('"')
      else line._replace(text=_COMMENT.sub('', line.text).strip())
      for line in lines
  ]
  return [line for line in kept if line.text]


def _matches(pattern, lines, texts, path, what: str):
  """A match of each text; none where no text has one.

  Raises:
    UserError: some have one, some have not.
  """
  found = [pattern.fullmatch(text) for text in texts]
  if any(found) and None in found:
    raise _refusal(path, lines[found.index(None)], what)
  return found if any(found) else []


def _colour(match, base: int = 10) -> tuple[int, int, int]:
  return tuple(int(match[part], base) for part in 'rgb')


def _cvat(lines, path):
  """`name:r,g,b:parts:actions`."""
  found = _matches(
      _CVAT, lines, [line.text for line in lines], path,
      'is no `name:r,g,b::`, but other lines are, as CVAT writes them',
  )
  return found and ([
      Row(line.number, match['name'].strip(), place, _colour(match))
      for place, (line, match) in enumerate(zip(lines, found, strict=True))
  ], "CVAT's form")


def _headed(lines, path):
  """A table whose first line names its columns."""
  head = lines[0] if lines else Line(1, '')
  gap = next((one for one in ',;\t|' if one in head.text), None)
  words = [head.text] if _role(head.text) else head.text.split(gap)
  roles = [_role(word) for word in words]
  if None in roles or 'name' not in roles or len(set(roles)) < len(roles):
    return None
  if len(roles) == 1:
    if head.text.startswith('"'):
      return None
    raise _refusal(
        path, head, 'looks like a header: delete it, or put it in quotes '
        'where it is a class'
    )
  if 0 < len({*'rgb'} & {*roles}) < 3:
    raise _refusal(path, head, 'has no red, no green or no blue')
  return [
      _headed_row(line, place, roles, gap, path)
      for place, line in enumerate(lines[1:])
  ], f'line {head.number} is a header'


def _role(word: str) -> str | None:
  return _ROLES.get(re.sub(r'[\s_"]', '', word).casefold())


def _headed_row(line, place, roles, gap, path) -> Row:
  # What has too many parts has them in its name.
  before = roles.index('name')
  *left, rest = line.text.split(gap, before)
  after = len(roles) - 1 - before
  name, *right = rest.rsplit(gap, after) if after else [rest]
  cells = dict(zip(roles, (*left, name, *right), strict=False))
  name = cells.pop('name', '').strip().strip('"').strip()
  numbers = {role: cell.strip(' "') for role, cell in cells.items()}
  if not name or len(numbers) < len(roles) - 1 or not all(
      number.isdecimal() for number in numbers.values()
  ):
    raise _refusal(path, line, f'is no {", ".join(roles)}, as line 1 says')
  return Row(
      line.number, name, int(numbers.get('value', place)),
      _colour(numbers) if 'r' in roles else None,
  )


def _own(lines, path) -> list[Row]:
  """A name on each line, with a number or a colour on all or on none."""
  quoted = [_QUOTED.fullmatch(line.text) for line in lines]
  # A letter stands for a quoted name while numbers are looked for around it.
  texts = [
      f'q{q[2]}' if q else line.text
      for q, line in zip(quoted, lines, strict=True)
  ]
  texts, colours = _colours(lines, texts, path)
  texts, values = _values(lines, texts, any(colours), path)
  rows = []
  for place, (line, q, name) in enumerate(
      zip(lines, quoted, texts, strict=True)
  ):
    if q and name != 'q':
      raise _refusal(path, line, 'has more behind the quotes than a colour')
    if q:
      name = q[1].replace('""', '"').strip()
    elif _NAMELESS.fullmatch(name) and name != str(place):
      name = ''
    if not name:
      raise _refusal(path, line, 'has no name')
    rows.append(Row(line.number, name, values[place], colours[place]))
  return rows


def _colours(lines, texts, path):
  """Names without their colours, and the colours; None where there are none."""
  for pattern, base in _COLOURED:
    found = _matches(
        pattern, lines, texts, path,
        'has no colour, but others have: give all lines one, or none',
    )
    if found and all(map(_OPACITY_LAST.fullmatch, texts)):
      raise _refusal(
          path, lines[0], 'ends in four numbers: give red, green and blue '
          'alone'
      )
    if found:
      return [match['name'].strip() for match in found], [
          _colour(match, base) for match in found
      ]
  return texts, [None] * len(texts)


def _values(lines, texts, coloured: bool, path):
  """Names without their values, and the values: else places."""
  places = list(range(len(texts)))
  found = [_NUMBER_FIRST.fullmatch(text) for text in texts]
  if all(found):
    return [m[2].strip() for m in found], [int(m[1]) for m in found]
  found = [_NUMBER_LAST.fullmatch(text) for text in texts]
  if coloured or not all(found):
    return texts, places
  stems = [m[1].strip() for m in found]
  numbers = [int(m[3]) for m in found]
  if all(m[2].strip() or '\t' in m[2] for m in found):
    return stems, numbers
  if len(set(stems)) == len(stems) and numbers != places:
    raise _refusal(
        path, lines[0], f'ends in a number: where it is the value in labels, '
        f'write `{numbers[0]} {stems[0]}`; where it is part of the name, put '
        'that in quotes'
    )
  return texts, places


def _labelme(rows, path):
  """`__ignore__` is void and has no number; `_background_` is 0."""
  if not _LABELME.keys() & {row.name for row in rows}:
    return rows, ''
  ignores = rows[0].name == '__ignore__'
  for place, row in enumerate(rows):
    wanted = {'__ignore__': 0, '_background_': int(ignores)}.get(row.name)
    if wanted not in (None, place):
      raise _refusal(
          path, Line(row.line, row.name), f'must be line {wanted + 1}, as '
          'labelme writes it'
      )
  return [
      row._replace(
          name=_LABELME.get(row.name, row.name),
          value=VOID if row.name == '__ignore__' else row.value - ignores,
      ) for row in rows
  ], "labelme's form"
