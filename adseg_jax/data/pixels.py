"""What the pixels of a label file hold, before anybody says what it means."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from adseg_jax.data.labels import COLOURED, UNREADABLE_LABEL, BadFile, Label
from adseg_jax.data.pictures import BROKEN

# Text of a PNG in which `adseg predict` says what its colours mean.
OWN_CLASSES = 'adseg classes'
# Compression that changes values.
_LOSSY = ('JPEG', 'MPO', 'WEBP')
_NONE = (-1, -1, -1)  # a colour that no table has
_PACKED = np.array([65536, 256, 1])  # factors that make a number of a colour


class Pixels(NamedTuple):
  """A label file's pixels."""

  places: np.ndarray  # int32 [H,W]: each pixel's place in the tuples below
  form: str  # 'grey', 'palette' or 'colour', as the file stores it
  # Grey values, or indices of a palette; empty where an RGB file has a colour
  # that is no grey.
  numbers: tuple[int, ...]
  # The same as an 8-bit file would show it: grey of few bits stretched, a
  # palette's grey instead of its index; empty where a colour is no grey.
  shades: tuple[int, ...]
  colours: tuple[tuple[int, int, int], ...]  # that are shown
  classes: str = ''  # in which the file says itself what its colours mean

  def label(self, ids, indexed: bool) -> Label:
    """The label whose distinct values mean these ids.

    Args:
      ids: of each of `numbers`.
      indexed: whether those are the ids; a palette's colours go with them then.
    """
    colours = () if self.form != 'palette' or not indexed else (
        pair for pair in zip(self.numbers, self.colours, strict=True)
        if pair[1] != _NONE
    )
    return Label(np.array(ids, np.int32)[self.places], tuple(colours))


def read_png(file: Path | bytes) -> Label:
  """An index PNG, grey or with a palette; a palette's indices are the ids.

  Raises:
    BadFile: it is broken, lossy or in colour.
  """
  pixels = read_pixels(file)
  if pixels.form == 'colour':
    raise BadFile(
        COLOURED, 'the label is in colour, and its values are no class ids: '
        'store class ids as 8-bit grey'
    )
  return pixels.label(pixels.numbers, indexed=True)


def read_pixels(file: Path | bytes) -> Pixels:
  """Reads a label file of any mode without loss.

  Raises:
    BadFile: it is broken or lossy, or its values are not exact.
  """
  picture, raw, content = _opened(file)
  if picture.mode in ('P', 'PA'):
    found = _palette(picture)
  elif picture.mode in ('RGB', 'RGBA'):
    found = _colour(picture, raw, content)
  elif picture.mode in ('1', 'L', 'LA', 'I', 'F') or (
      picture.mode.startswith('I;16')
  ):
    # Pillow multiplies grey of 2 or 4 bits until it fills 8.
    found = _grey(picture, {'L;2': 85, 'L;4': 17}.get(raw[:3], 1))
  else:
    raise BadFile(
        COLOURED, f'the label is of mode {picture.mode}, whose colours are '
        'not exact: store it as an RGB PNG'
    )
  return found._replace(classes=str(picture.info.get(OWN_CLASSES, '')))


def _opened(file: Path | bytes) -> tuple[Image.Image, str, bytes]:
  """An upright picture, how its file stores pixels, and the file's content."""
  try:
    # Pillow keeps some files open, to look for more pictures in them.
    content = file if isinstance(file, bytes) else file.read_bytes()
    picture = Image.open(io.BytesIO(content))
    raw = picture.tile[0][3] if picture.tile else ''
    raw = str(raw[0] if isinstance(raw, tuple) and raw else raw)
    many = getattr(picture, 'n_frames', 1)
    lossy = picture.format in _LOSSY or picture.info.get('compression') in (
        'jpeg', 'tiff_jpeg', 'webp'
    )
    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
  except BROKEN as error:
    raise BadFile(
        UNREADABLE_LABEL, f'broken file, replace it: {error}'
    ) from error
  if lossy:
    raise BadFile(
        UNREADABLE_LABEL, f'the label is a {picture.format}, which changes '
        'ids and colours: store a PNG'
    )
  if many > 1:
    raise BadFile(
        UNREADABLE_LABEL, f'the label file holds {many} pictures: store one'
    )
  return picture, raw, content


def _planes(picture: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
  """What is stored, without opacity, and the opacity, if there is any."""
  values = np.asarray(picture)
  if picture.mode in ('LA', 'PA'):
    return values[..., 0], values[..., 1]
  if picture.mode == 'RGBA':
    return values[..., :3], values[..., 3]
  return values, None


def _grey(picture: Image.Image, stretch: int) -> Pixels:
  values, alpha = _planes(picture)
  if picture.mode == 'F' and not (values == np.round(values)).all():
    raise BadFile(
        UNREADABLE_LABEL, 'the label holds fractions: store ids as 8-bit grey'
    )
  _check_alpha(values, alpha)
  found, places = _distinct(values.astype(np.int64))
  shades = [255 * v for v in found] if picture.mode == '1' else found
  deep = picture.mode not in ('1', 'L', 'LA')
  colours = [(v, v, v) for v in (_eight_bits(shades) if deep else shades)]
  return Pixels(
      places, 'grey', tuple(v // stretch for v in found), tuple(shades),
      tuple(colours),
  )


def _eight_bits(values: list[int]) -> list[int]:
  """The 8-bit grey levels that a file of more bits was made from; -1: none."""
  for factor in (257, 256, 1):
    if all(v % factor == 0 and 0 <= v // factor <= 255 for v in values):
      return [v // factor for v in values]
  return [-1] * len(values)


def _palette(picture: Image.Image) -> Pixels:
  indices, alpha = _planes(picture)
  opacity = np.full(256, 255)
  clear = picture.info.get('transparency', ())
  if isinstance(clear, int):
    opacity[clear] = 0
  else:
    opacity[:len(clear)] = list(clear)
  table = np.array(picture.getpalette('RGB')).reshape(-1, 3)
  found, places = _distinct(indices.astype(np.int64))
  colours = [
      tuple(table[i].tolist()) if i < len(table) else _NONE for i in found
  ]
  if alpha is None:
    _check_alpha(np.array(colours) @ _PACKED, opacity[found])
  shades = _greys(colours)
  # A grey file whose values happen to be stored as a palette.
  form = 'grey' if shades == tuple(found) else 'palette'
  return Pixels(places, form, tuple(found), shades, tuple(colours))


def _colour(picture: Image.Image, raw: str, content: bytes) -> Pixels:
  parts, alpha = _planes(picture)
  if ';16' in raw:
    with Image.open(io.BytesIO(content)) as unread:
      parts = _deep_colour(unread, raw, parts)
  packed = parts.astype(np.int64) @ _PACKED
  _check_alpha(packed, alpha)
  found, places = _distinct(packed)
  colours = [(c >> 16, c >> 8 & 255, c & 255) for c in found]
  shades = _greys(colours)
  return Pixels(places, 'colour', shades, shades, tuple(colours))


def _greys(colours) -> tuple[int, ...]:
  """The grey levels of colours; none where one of them is no grey."""
  grey = all(r == g == b for r, g, b in colours)
  return tuple(r for r, _, _ in colours) if grey else ()


def _deep_colour(unread: Image.Image, raw: str, upper):
  """8 bits of 16: Pillow reads the upper ones, also where they are empty."""
  swapped = raw[:-1] + {'B': 'L', 'L': 'B', 'N': 'B'}[raw[-1]]
  try:
    tile = unread.tile[0]
    args = (swapped, *tile[3][1:]) if isinstance(tile[3], tuple) else swapped
    unread.tile = [(*tile[:3], args)]
    lower = np.asarray(unread)[..., :3]
  except (OSError, ValueError, KeyError, TypeError):
    lower = None
  if lower is not None and lower.shape == upper.shape:
    if not lower.any() or (lower == upper).all():
      return upper
    if not upper.any():
      return lower
  raise BadFile(
      COLOURED, 'the label has 16 bits per channel, and its colours are not '
      'of 8: store it with 8 bits per channel'
  )


def _check_alpha(values, alpha):
  """Refuses a value that is there both seen and unseen."""
  if alpha is None or alpha.all() or not alpha.any():
    return
  both = np.intersect1d(values[alpha == 0], values[alpha > 0])
  if both.size:
    raise BadFile(
        COLOURED, 'the label holds a colour both opaque and transparent: do '
        'they mean the same? Store it without transparency, void in a colour '
        'of its own'
    )


def _distinct(values) -> tuple[list[int], np.ndarray]:
  """Distinct values in order, and each one's place among them."""
  if values.min(initial=0) >= 0 and values.max(initial=0) < 65536:
    found = np.flatnonzero(np.bincount(values.ravel()))
    where = np.zeros(65536, np.int32)
    where[found] = np.arange(len(found))
    return found.tolist(), where[values]
  found, places = np.unique(values, return_inverse=True)
  return found.tolist(), places.reshape(values.shape).astype(np.int32)
