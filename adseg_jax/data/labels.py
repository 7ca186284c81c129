"""Label files of all kinds -> class ids."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.io
from PIL import Image

from adseg_jax.data import pictures
from adseg_jax.data.dataset import VOID, colormap

# Luma of red, green and blue: ITU-R BT.601, as in Pillow and TensorFlow.
_LUMA = (0.299, 0.587, 0.114)

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


def read_stored(file: bytes) -> Label:
  """A label as prepared data sets hold it: an 8-bit grey PNG of ids.

  Raises:
    BadFile: it is broken, or something else.
  """
  try:
    with Image.open(io.BytesIO(file)) as picture:
      ids = np.asarray(picture)
  except pictures.BROKEN as error:
    raise BadFile(
        UNREADABLE_LABEL, f'broken file, replace it: {error}'
    ) from error
  if picture.mode != 'L':
    # TensorFlow would turn a palette's indices into brightness.
    raise BadFile(
        COLOURED, f'the label is a PNG of mode {picture.mode}: store class ids '
        'as 8-bit grey'
    )
  return Label(ids)


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

  `holder` says who has them, such as 'the data set has 3 classes'.
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
  return pictures.encode(ids.astype(np.uint8))
