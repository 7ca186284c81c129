"""What a picture's file shows: read in one way by every part of the package.

Training decodes with TensorFlow, all else with Pillow. They agree, to the bit,
on what `plain` gives: upright JPEGs and PNGs of 8-bit grey or RGB.
"""

import contextlib
import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# What Pillow raises for a file that is broken, or larger than is sane.
BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
# MPO is a JPEG with a second picture behind it.
_KEPT_FORMATS = ('JPEG', 'MPO', 'PNG')
_ORIENTATION = 0x0112  # EXIF tag; 2 to 8 turn or mirror
# Chunks of a PNG that may hold the tag: EXIF, or text that quotes it.
_TAGGED = (b'eXIf', b'tEXt', b'zTXt', b'iTXt')


class Unreadable(Exception):
  """A picture that can't be read; the message says why."""


class Plain(NamedTuple):
  """A picture as it is kept in memory."""

  file: bytes  # encoded JPEG or PNG, upright, 8-bit grey or RGB
  size: tuple[int, int]  # width and height
  turned: bool  # whether an EXIF tag has turned or mirrored it


def read(file: bytes) -> np.ndarray:
  """A picture's file of any kind as uint8 [H,W,3], upright.

  EXIF's rotation is applied, transparency left out, grey repeated; 16 bits
  become the upper 8.

  Raises:
    Unreadable: the file is broken, no picture, or has 32 bits per channel.
  """
  with _opened(file) as picture:
    return np.asarray(_upright(picture).convert('RGB'))


def size(file: bytes) -> tuple[int, int]:
  """Height and width of a picture's file, upright.

  Raises:
    Unreadable: the file is broken, or no picture.
  """
  with _opened(file) as picture:
    width, height = picture.size
    # Of a TIFF, Pillow gives the upright size.
    on_its_side = picture.format != 'TIFF' and (
        _orientation(picture, file) in range(5, 9)
    )
  return (width, height) if on_its_side else (height, width)


def plain(file: bytes) -> Plain:
  """The file as it is, where it is plain already; else a PNG of its pixels.

  What is kept as it is, is not decoded: it may still be broken.

  Raises:
    Unreadable: as `read`.
  """
  with _opened(file) as picture:
    turned = _orientation(picture, file) in range(2, 9)
    if not turned and _is_plain(picture):
      return Plain(file, picture.size, False)
    picture = _upright(picture)
    return Plain(encode(np.asarray(picture)), picture.size, turned)


def whole(file: bytes) -> Plain:
  """As `plain`; decoded once, to see that it is whole.

  Raises:
    Unreadable: as `read`.
  """
  found = plain(file)
  read(found.file)
  return found


def encode(image: np.ndarray) -> bytes:
  """Pixels, uint8 [H,W,3] or [H,W], as a PNG that is written quickly."""
  file = io.BytesIO()
  Image.fromarray(image).save(file, 'png', compress_level=1)
  return file.getvalue()


def decode(encoded: bytes, mode: str) -> np.ndarray:
  """A kept picture as uint8 [H,W,3] ('RGB'), or a label as [H,W] ('L')."""
  with Image.open(io.BytesIO(encoded)) as picture:
    return np.asarray(picture.convert(mode))


def resized(encoded: bytes, size: tuple[int, int]) -> bytes:
  """A kept picture at the height and width `size`, as a PNG."""
  return encode(resize(decode(encoded, 'RGB'), size))


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """A picture at the height and width `size`: uint8 [h,w,3] -> [*size,3]."""
  # Pillow's filters widen when they reduce, so nothing aliases.
  return np.asarray(Image.fromarray(image).resize(
      size[::-1], Image.Resampling.BICUBIC
  ))


@contextlib.contextmanager
def _opened(file: bytes):
  try:
    with Image.open(io.BytesIO(file)) as picture:
      yield picture
  except Unreadable:
    raise
  except UnidentifiedImageError:  # Its text names a place in memory.
    raise Unreadable('cannot identify its format') from None
  except Exception as error:  # A broken file can end in any of many kinds.
    raise Unreadable(str(error)) from error


def _orientation(picture: Image.Image, file: bytes) -> int:
  # Pillow decodes a PNG before it looks.
  if picture.format == 'PNG' and not any(kind in file for kind in _TAGGED):
    return 1
  return picture.getexif().get(_ORIENTATION, 1)


def _is_plain(picture: Image.Image) -> bool:
  """Whether the file holds 8-bit grey or RGB as TensorFlow reads it."""
  return (
      picture.format in _KEPT_FORMATS and picture.mode in ('L', 'RGB')
      and 'transparency' not in picture.info
      # Of a PNG, what Pillow makes its mode from: RGB;16B has 16 bits.
      and (picture.format != 'PNG'
           or [tile[3] for tile in picture.tile] == [picture.mode])
  )


def _upright(picture: Image.Image) -> Image.Image:
  """The picture in 8-bit grey or RGB, turned as its EXIF tag says."""
  picture = ImageOps.exif_transpose(picture)
  if picture.mode.startswith('I;16'):
    upper = np.asarray(picture).astype(np.uint16) >> 8
    return Image.fromarray(upper.astype(np.uint8))
  if picture.mode in ('I', 'F'):
    raise Unreadable(
        'has 32 bits per channel, whose range is not known: save it with 8 '
        'or 16'
    )
  if picture.mode in ('1', 'L', 'LA'):
    return picture.convert('L')
  if 'transparency' in picture.info:  # else Pillow warns
    picture = picture.convert('RGBA')
  return picture.convert('RGB')
