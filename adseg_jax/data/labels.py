"""Label files of all kinds -> class ids."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.io
from PIL import Image, ImageOps

from adseg_jax.data.dataset import VOID, colormap
from adseg_jax.data.pictures import BROKEN

# Luma of red, green and blue: ITU-R BT.601, as in Pillow and TensorFlow.
_LUMA = (0.299, 0.587, 0.114)
# Compression that changes values.
_LOSSY = ('JPEG', 'MPO', 'WEBP')

UNREADABLE_LABEL = 'labels that cannot be read'
STRANGE_IDS = 'ids that no class has'
STRANGE_COLOURS = 'colours that no class has'
COLOURED = 'labels in colour'


class BadFile(Exception):
  """A file that can't be used: its kind of fault, and what is wrong."""

  def __init__(self, kind: str, detail: str):
    super().__init__(detail)
    self.kind, self.detail = kind, detail


class Label(NamedTuple):
  """A label map."""

  ids: np.ndarray  # integers [H,W]; 255 is void
  # (id, colour) of the ids in it, as the file's palette says, if it has one.
  colours: tuple[tuple[int, tuple[int, ...]], ...] = ()


def read_png(file: Path | bytes) -> Label:
  """An index PNG, grey or with a palette; a palette's indices are the ids.

  Raises:
    BadFile: the file is broken, lossy or in colour.
  """
  picture, stretch = open_label(file)
  if picture.mode not in ('1', 'L', 'P', 'I') and picture.mode[:4] != 'I;16':
    raise BadFile(
        COLOURED, f'the label is a PNG of mode {picture.mode}: its values '
        'are colours, not class ids; store class ids as 8-bit grey'
    )
  ids = np.asarray(picture).astype(np.int32) // stretch
  if picture.mode != 'P':
    return Label(ids)
  palette = np.array(picture.getpalette('RGB')).reshape(-1, 3)
  present = np.flatnonzero(np.bincount(ids.ravel(), minlength=256))
  return Label(ids, tuple(
      (int(index), tuple(palette[index].tolist()))
      for index in present if index < len(palette)
  ))


def read_regions(file: Path) -> Label:
  """A matrix of integers in a text file; a negative number is void.

  Raises:
    BadFile: the file is broken.
  """
  try:
    ids = np.loadtxt(file, np.int32, ndmin=2)
  except (OSError, ValueError) as error:
    raise BadFile(
        UNREADABLE_LABEL, f'the label is no matrix of integers: {error}'
    ) from error
  return Label(np.where(ids < 0, VOID, ids))


def read_mat(file: Path) -> Label:
  """A MATLAB file of the Semantic Boundaries Dataset: GTcls.Segmentation.

  Raises:
    BadFile: the file is broken or holds something else.
  """
  try:
    ids = scipy.io.loadmat(file)['GTcls'][0, 0]['Segmentation']
    return Label(ids.astype(np.int32))
  except Exception as error:  # SciPy raises many kinds for a broken file.
    raise BadFile(
        UNREADABLE_LABEL, 'the label is no MATLAB file with a '
        f'GTcls.Segmentation: {type(error).__name__}'
    ) from error


def strange_ids(ids: np.ndarray, count: int, holder: str) -> str:
  """What is wrong with ids outside 0 to `count` - 1 and void; else ''.

  Args:
    ids: integers [H,W].
    count: number of ids that mean something.
    holder: who has them, such as 'the data set has 3 classes'.
  """
  wrong = ids[((ids < 0) | (ids >= count)) & (ids != VOID)]
  if not wrong.size:
    return ''
  wrong, found = np.unique(wrong).tolist(), np.unique(ids)
  luma = {round(float(np.dot(c, _LUMA))) for c in colormap(256)}
  hint = ''
  # Few values by chance are all among the 40 or so of the palette.
  if len(found) > 1 and set(found.tolist()) <= luma:
    hint = ' (these are the brightness of a palette, not its indices)'
  more = f' and {len(wrong) - 1} more' if wrong[1:] else ''
  return (
      f'the label holds the id {wrong[0]}{more}, but {holder}: use 0 to '
      f'{count - 1}, or {VOID} for void{hint}'
  )


def encode(ids: np.ndarray) -> bytes:
  """Ids 0 to 255 [H,W] -> an 8-bit grey PNG."""
  file = io.BytesIO()
  Image.fromarray(ids.astype(np.uint8)).save(file, 'png')
  return file.getvalue()


def open_label(file: Path | bytes) -> tuple[Image.Image, int]:
  """A picture, decoded and upright, and by how much grey was stretched.

  Raises:
    BadFile: it is broken, lossy, or more than one picture.
  """
  try:
    # Pillow keeps some files open, to look for more pictures in them.
    content = file if isinstance(file, bytes) else file.read_bytes()
    picture = Image.open(io.BytesIO(content))
    raw = raw_mode(picture)
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
  # Pillow multiplies grey of 2 or 4 bits until it fills 8.
  return picture, {'L;2': 85, 'L;4': 17}.get(raw[:3], 1)


def raw_mode(picture: Image.Image) -> str:
  """What Pillow calls the form in which an unread file stores its pixels."""
  raw = picture.tile[0][3] if picture.tile else ''
  return str(raw[0] if isinstance(raw, tuple) and raw else raw)
