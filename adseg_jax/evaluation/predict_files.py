"""Label maps of picture files."""

import concurrent.futures
import io
from collections import deque
from pathlib import Path

import numpy as np
from etils import epath

from adseg_jax.evaluation import pictures
from adseg_jax.evaluation.gallery import overlay, write_label
from adseg_jax.evaluation.inference import Views, make_sliding, make_whole
from adseg_jax.evaluation.resampling import ceil_to
from adseg_jax.files import write, write_picture
from adseg_jax.training.restore import Trained

# Pixels of a picture that is seen whole, at most; larger ones go through
# windows, so that they fit the device.
LARGEST = 1536 * 1536
WINDOW = 768  # side of a window, in pixels
WINDOWS = 4  # at once


def make_predict(trained: Trained):
  """uint8 [H,W,3] -> probabilities float32 [H,W,C], for any size.

  Pictures of about one size share a compiled program; large ones share that
  of the windows, which blend into each other.
  """
  size = trained.experiment.data.size
  # A picture that is resized to the size of training is one window there.
  window = size if any(size) else (WINDOW, WINDOW)
  whole = make_whole(trained, Views())
  windows = make_sliding(
      trained, Views(window=window), 1 if any(size) else WINDOWS
  )

  def predict(picture):
    height, width = picture.shape[:2]
    if height * width > LARGEST:
      return windows(picture)
    padded = ceil_to(height), ceil_to(width)
    return np.asarray(whole([picture], padded, 1)[0, :height, :width])

  return predict


def read_ahead(files: list[Path]):
  """Yields (picture, '') or (None, why not) of each file."""
  def read(path):
    try:
      return pictures.read(path), ''
    except pictures.Unreadable as error:
      return None, str(error)

  # Pillow decodes outside Python's global lock.
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    waiting = deque()
    for path in files:
      waiting.append(pool.submit(read, path))
      if len(waiting) > 1:
        yield waiting.popleft().result()
    while waiting:
      yield waiting.popleft().result()


def write_prediction(
    folder: epath.Path, name: str, picture, probabilities, trained: Trained,
    keep: bool,
):
  """labels/NAME.png, overlays/NAME.jpg and, with `keep`, probabilities.

  Args:
    folder: of all results; made if it is missing.
    name: of the picture; it may hold folders.
    picture: uint8 [H,W,3].
    probabilities: float32 [H,W,C].
    trained: for classes and palette.
    keep: also write probabilities/NAME.npz: 'probabilities' and 'classes'.
  """
  label = probabilities.argmax(-1)
  write_label(_place(folder, 'labels', f'{name}.png'), label, trained.palette)
  write_picture(
      _place(folder, 'overlays', f'{name}.jpg'),
      overlay(picture, label, trained.palette), 'jpeg', quality=90,
  )
  if keep:
    file = io.BytesIO()
    np.savez(file, probabilities=probabilities, classes=trained.classes)
    write(_place(folder, 'probabilities', f'{name}.npz'), file.getvalue())


def _place(folder, kind: str, name: str) -> epath.Path:
  path = folder / kind / name
  path.parent.mkdir(parents=True, exist_ok=True)
  return path
