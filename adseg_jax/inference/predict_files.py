"""Label maps of picture files."""

import io

import numpy as np
from etils import epath

from adseg_jax.evaluation.gallery import overlay, write_label
from adseg_jax.evaluation.trained import Trained
from adseg_jax.files import write, write_picture


def write_prediction(
    folder: epath.Path, name: str, picture, found, trained: Trained
):
  """labels/NAME.png, overlays/NAME.jpg and, if given, probabilities.

  Args:
    folder: of all results; made if it is missing.
    name: of the picture; it may hold folders.
    picture: uint8 [H,W,3].
    found: classes uint8 [H,W], or probabilities float32 [H,W,C], which are
      written to probabilities/NAME.npz: 'probabilities' and 'classes'.
    trained: for classes and palette.
  """
  label = found.argmax(-1) if found.ndim == 3 else found
  write_label(_place(folder, 'labels', f'{name}.png'), label, trained.palette)
  write_picture(
      _place(folder, 'overlays', f'{name}.jpg'),
      overlay(picture, label, trained.palette), 'jpeg', quality=90,
  )
  if found.ndim == 3:
    file = io.BytesIO()
    np.savez(file, probabilities=found, classes=trained.classes)
    write(_place(folder, 'probabilities', f'{name}.npz'), file.getvalue())


def _place(folder, kind: str, name: str) -> epath.Path:
  path = folder / kind / name
  path.parent.mkdir(parents=True, exist_ok=True)
  return path
