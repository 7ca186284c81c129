"""A person's pictures: found, named and read."""

import concurrent.futures
import glob
import os
from pathlib import Path

import numpy as np

from adseg_jax.data import pictures
from adseg_jax.data.originals import IMAGES, walk
from adseg_jax.data.pictures import Unreadable


def find(words, output: Path) -> tuple[list[Path], list[str]]:
  """The pictures that files, folders and patterns name, each once.

  A folder stands for all pictures in it and below, but for those in `output`.

  Returns:
    (files in order, words that name no picture).
  """
  found, empty = {}, []
  output = output.resolve()
  for word in words:
    path = Path(word).expanduser()
    if path.is_dir():
      files = [
          file for file in walk(path)[0]
          if file.suffix.lower() in IMAGES
          and output not in file.resolve().parents
      ]
    elif path.exists():
      files = [path]
    else:
      matches = sorted(glob.glob(str(path), recursive=True))
      files = [Path(one) for one in matches if os.path.isfile(one)]
    found |= dict.fromkeys(files)
    if not files:
      empty.append(word)
  return list(found), empty


def names(files: list[Path]) -> list[str]:
  """A name for each file's results: its path from the deepest common folder.

  Its ending is left out, unless two files would get the same name.
  """
  whole = [file.absolute() for file in files]
  top = os.path.commonpath([file.parent for file in whole])
  relative = [file.relative_to(top) for file in whole]
  short = [str(one.with_suffix('')) for one in relative]
  return [
      name if short.count(name) == 1 else str(one)
      for name, one in zip(short, relative, strict=True)
  ]


def read(path: Path) -> np.ndarray:
  """A picture's file of any kind as uint8 [H,W,3], as training reads it.

  Raises:
    Unreadable: the file is missing, broken, no picture, or has 32 bits per
      channel.
  """
  try:
    return pictures.read(path.read_bytes())
  except OSError as error:
    raise Unreadable(str(error)) from error


class Shelf:
  """Picture files, read one at a time.

  Attributes:
    sizes: (height, width) of each, upright; 1 1 where it can't be read.
    wrong: {index of a file that can't be read: why not}, once it was tried.
  """

  def __init__(self, files: list[Path]):
    self._files, self.wrong = files, {}
    # Pillow reads outside Python's global lock.
    with concurrent.futures.ThreadPoolExecutor() as pool:
      self.sizes = list(pool.map(_size, files))

  def read(self, index: int) -> np.ndarray | None:
    """The picture; None where it can't be read."""
    try:
      picture = read(self._files[index])
      if picture.shape[:2] != self.sizes[index]:
        raise Unreadable('has changed')
    except Unreadable as error:
      self.wrong[index] = str(error)
      return None
    return picture


def _size(path: Path) -> tuple[int, int]:
  try:
    return pictures.size(path.read_bytes())
  except (OSError, Unreadable):
    return 1, 1
