"""Lists of classes: classes.txt, and what other tools write in its place.

A class on each line; a line `void`, in any case, stands for what is no class.
Where every line ends in a red, a green and a blue of 0 to 255 (`road 128 64
128`, `road #804080`), these are its colour; where every line begins with a
number (`7 road`), that is its value in labels, else lines count from 0. A name
in quotes is taken as it is.
"""

from pathlib import Path
from typing import NamedTuple

from adseg_jax.data.class_forms import Row, rows_of
from adseg_jax.data.dataset import VOID
from adseg_jax.data.text import Line, read_lines
from adseg_jax.errors import UserError
from adseg_jax.wording import counted

_VOID = 'void'
# Names that mean void in many sets, but are classes here.
_LIKE_VOID = ('ignore', 'ignored', 'unlabeled', 'unlabelled', 'don\'t care')


class Table(NamedTuple):
  """What a list of classes says."""

  names: tuple[str, ...]  # of the lines, in order; `void` is no class
  colours: tuple[tuple[int, int, int], ...]  # of the lines; () without any
  ids: tuple[int, ...]  # class id of each line, 255 for void
  values: tuple[int, ...]  # what each line's pixels hold where labels are ids
  said: str  # what was understood, for a person
  path: Path  # of the list

  @property
  def classes(self) -> tuple[str, ...]:
    """Names of the classes, in the order of their ids."""
    return tuple(name for name in self.names if name != _VOID)

  @property
  def palette(self) -> tuple[tuple[int, int, int], ...]:
    """Colours of the classes; empty where there are none."""
    return tuple(
        colour for colour, name in zip(self.colours, self.names, strict=False)
        if name != _VOID
    )


def read_classes(path: Path) -> Table:
  """Reads a list of classes; empty lines do not count.

  Raises:
    UserError: a line can't be understood, or two lines are the same.
  """
  return table_of(*read_lines(path), path)


def table_of(lines: list[Line], encoding: str, path: Path) -> Table:
  """The table that a file's lines say; its `encoding` is '' for UTF-8.

  Raises:
    UserError: as read_classes.
  """
  rows, notes = rows_of(lines, path)
  rows = [
      row._replace(name=_VOID) if row.name.casefold() == _VOID else row
      for row in rows
  ]
  _check(rows, path)
  names = tuple(row.name for row in rows)
  classes = [name for name in names if name != _VOID]
  return Table(
      names, tuple(row.colour for row in rows if row.colour),
      tuple(VOID if n == _VOID else classes.index(n) for n in names),
      tuple(row.value for row in rows),
      _said(rows, classes, [encoding, *notes] if encoding else notes), path,
  )


def _said(rows, classes, notes) -> str:
  words = [f'{len(classes)} classes']
  void = [str(row.line) for row in rows if row.name == _VOID]
  if void:
    words.append(
        f'void is line{"s" * (len(void) > 1)} {" and ".join(void)}'
    )
  if any(row.value not in (place, VOID) for place, row in enumerate(rows)):
    words.append(
        'their values are '
        + ' '.join(str(row.value) for row in rows if row.name != _VOID)
    )
  words += [
      f'{name!r} is a class: name it void if its pixels should not count'
      for name in classes if name.casefold() in _LIKE_VOID
  ]
  return ', '.join(words) + (f' ({", ".join(notes)})' if notes else '')


def _check(rows: list[Row], path):
  """Refuses rows that do not go together, by line."""
  count = len([row for row in rows if row.name != _VOID])
  if not 2 <= count <= VOID:
    raise UserError(
        f'{path}: {counted(count, "class", "classes")}: give 2 to {VOID}, one '
        'on each line'
    )
  seen = {}
  for row in rows:
    where = f'{path}, line {row.line}'
    items = {
        row.name, f'the colour {row.colour}', f'the value {row.value}'
    } - {_VOID, 'the colour None', f'the value {VOID}'}
    if twice := sorted(items & seen.keys()):
      raise UserError(
          f'{where}: {twice[0]} stands there twice, also in line '
          f'{seen[twice[0]]}: keep one'
      )
    seen |= dict.fromkeys(items, row.line)
    if row.colour and max(row.colour) > 255:
      raise UserError(f'{where}: the colour {row.colour} is beyond 255')
    if row.value > VOID or (row.value == VOID and row.name != _VOID):
      raise UserError(
          f'{where}: the value {row.value} of {row.name}: '
          f'values go from 0 to {VOID - 1}, and {VOID} is void; if labels '
          f'hold {VOID} where it is, give all lines colours '
          '(`thing 255 255 255`)'
      )


def to_text(classes, palette) -> str:
  """A classes.txt, with colours, that reads back as these classes.

  Args:
    classes: names.
    palette: red, green and blue of each, 0 to 255.
  """
  return ''.join(
      f'"{name.replace(chr(34), 2 * chr(34))}" {" ".join(map(str, colour))}\n'
      for name, colour in zip(classes, palette, strict=True)
  )
