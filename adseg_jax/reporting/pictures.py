"""Pictures of a page, as data URIs, and the keys of their colours."""

import base64
import io
from typing import NamedTuple

import numpy as np
from etils import epath
from PIL import Image, UnidentifiedImageError

from adseg_jax.errors import UserError

VOID = 255
_LARGEST = 1400, 1400  # of an embedded picture, in pixels


class Key(NamedTuple):
  """What a colour of the style sheet, or 'void', stands for."""

  text: str
  colour: str


class Picture(NamedTuple):
  """A picture of a page: its data URI, style and caption."""

  uri: str
  style: str
  caption: str


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


def photo(path: epath.Path, style: str) -> Picture:
  """A photograph, as JPEG.

  Raises:
    UserError: the file is missing or no picture.
  """
  picture = _open(path).convert('RGB')
  picture.thumbnail(_LARGEST, Image.Resampling.LANCZOS)
  return Picture(uri(picture, 'jpeg', quality=88), style, 'image')


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


def painted(label: np.ndarray, palette, style: str, caption: str) -> Picture:
  """A label map [H,W] in a palette; VOID is transparent."""
  picture = Image.fromarray(label).copy()
  picture.thumbnail(_LARGEST, Image.Resampling.NEAREST)
  picture.putpalette(bytes(np.asarray(palette, np.uint8)).ljust(768, b'\0'))
  data = uri(picture, 'png', transparency=VOID, optimize=True)
  return Picture(data, style, caption)


def css(colour) -> str:
  """A colour, as a style sheet has it."""
  return f'rgb({",".join(str(int(part)) for part in colour)})'


def legend(classes: list[str], palette) -> list[Key]:
  """Colour and name of every class, and void."""
  colours = [*map(css, palette), 'void']
  return list(map(Key, [*classes, 'void'], colours))
