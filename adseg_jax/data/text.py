"""Text files as people's tools write them: any encoding, any line end."""

import codecs
import contextlib
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from adseg_jax.errors import UserError

_MARKS = (
    (codecs.BOM_UTF8, 'utf-8'), (codecs.BOM_UTF32_LE, 'utf-32-le'),
    (codecs.BOM_UTF32_BE, 'utf-32-be'), (codecs.BOM_UTF16_LE, 'utf-16-le'),
    (codecs.BOM_UTF16_BE, 'utf-16-be'),
)


class Line(NamedTuple):
  """A line's number in its file, from 1, and its text without outer spaces."""

  number: int
  text: str


def read_lines(path: Path) -> tuple[list[Line], str]:
  """Lines of a text file that are not empty, and a word on its encoding.

  Returns:
    (lines, '' for UTF-8, else the encoding that was taken).

  Raises:
    UserError: the file can't be read, or is no text.
  """
  try:
    text, encoding = decode(path.read_bytes())
  except OSError as error:
    raise UserError(f'{path}: cannot be read: {error.strerror}') from error
  except UnicodeDecodeError as error:
    raise UserError(
        f'{path}: cannot be read as text ({error.reason}): save it as UTF-8'
    ) from error
  lines = lines_of(text)
  for number, line in lines:
    if strange := re.search(r'[\x00-\x08\x0e-\x1f\x7f]', line):
      raise UserError(
          f'{path}, line {number}: holds the character {strange[0]!r}: save it '
          'as a text file in UTF-8'
      )
  return lines, encoding


def lines_of(text: str) -> list[Line]:
  """Lines that are not empty."""
  # Marks in the middle come from files that were joined.
  lines = re.split(r'\r\n|\n|\r', text.replace('\ufeff', ''))
  # A Mac takes letters apart that others write whole.
  lines = [unicodedata.normalize('NFC', line.strip()) for line in lines]
  return [Line(number, line) for number, line in enumerate(lines, 1) if line]


def decode(file: bytes) -> tuple[str, str]:
  """A file's text, and its encoding's name where that is not UTF-8.

  Raises:
    UnicodeDecodeError: it breaks off within a character.
  """
  for mark, encoding in _MARKS:
    if file.startswith(mark):
      name = encoding[:-3].upper() if encoding != 'utf-8' else ''
      return file[len(mark):].decode(encoding), name
  # Without a mark: Latin letters have their zero behind or before them.
  zeros = file[::2].count(0), file[1::2].count(0)
  if not min(zeros) and max(zeros) > len(file) / 4:
    return file.decode('utf-16-be' if zeros[0] else 'utf-16-le'), 'UTF-16'
  # Windows has quotes where Latin-1 proper has nothing.
  for encoding, name in (('utf-8', ''), ('cp1252', 'Latin-1')):
    with contextlib.suppress(UnicodeDecodeError):
      return file.decode(encoding), name
  return file.decode('latin-1'), 'Latin-1'
