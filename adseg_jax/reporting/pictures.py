"""Pictures of a page, as data URIs, and the keys of their colours."""

import base64
import io
from typing import NamedTuple

import numpy as np
from etils import epath
from PIL import Image, UnidentifiedImageError

from adseg_jax.errors import UserError

VOID = 255
_LARGEST = 1400  # longest side of an embedded picture, in pixels
_JPEG_QUALITY = 88


def _open(path):
  try:
    picture = Image.open(io.BytesIO(path.read_bytes()))
    picture.load()
  except (OSError, UnidentifiedImageError) as error:
    raise UserError(
        f'{path} can not be read as a picture ({error}): train the run again'
    ) from None
  return picture


def uri(picture: Image.Image, kind: str, **options) -> str:
  """A picture in itself, in a format of Pillow's."""
  data = io.BytesIO()
  picture.save(data, kind, **options)
  text = base64.b64encode(data.getvalue()).decode('ascii')
  return f'data:image/{kind};base64,{text}'


def _fitting(picture, resample):
  factor = _LARGEST / max(picture.size)
  if factor >= 1:
    return picture
  width, height = (max(1, round(side * factor)) for side in picture.size)
  return picture.resize((width, height), resample)


def photo(path: epath.Path) -> str:
  """Data URI of a photograph, as JPEG.

  Raises:
    UserError: the file is missing or no picture.
  """
  picture = _fitting(_open(path).convert('RGB'), Image.Resampling.LANCZOS)
  return uri(picture, 'jpeg', quality=_JPEG_QUALITY)


def indices(path: epath.Path, classes: int) -> np.ndarray:
  """Classes [H,W] of an index PNG; VOID where the index is no class.

  Raises:
    UserError: the file is missing or holds no indices.
  """
  picture = _open(path)
  if picture.mode not in ('L', 'P'):
    raise UserError(
        f'{path} has mode {picture.mode}: a label map has mode L or P'
    )
  found = np.asarray(picture)
  return np.where(found < classes, found, VOID).astype(np.uint8)


def painted(label: np.ndarray, palette) -> str:
  """Data URI of a label map [H,W] in a palette; VOID is transparent."""
  picture = _fitting(Image.fromarray(label), Image.Resampling.NEAREST)
  picture = picture.copy()
  picture.putpalette(bytes(np.asarray(palette, np.uint8)).ljust(768, b'\0'))
  return uri(picture, 'png', transparency=VOID, optimize=True)


def css(colour) -> str:
  """A colour, as a style sheet has it."""
  red, green, blue = (int(part) for part in colour)
  return f'rgb({red},{green},{blue})'


class Key(NamedTuple):
  """What a colour of the style sheet, or 'void', stands for."""

  text: str
  colour: str


def legend(classes: list[str], palette) -> list[Key]:
  """Colour and name of every class, and void."""
  keys = [
      Key(name, css(colour))
      for name, colour in zip(classes, palette, strict=True)
  ]
  return [*keys, Key('void', 'void')]


class Picture(NamedTuple):
  """A picture of a page: its data URI, style and caption."""

  uri: str
  style: str
  caption: str


class Panel(NamedTuple):
  """Pictures side by side, below a heading."""

  title: str
  pictures: list[Picture]
