"""Label maps of picture files."""

import io

import numpy as np
from etils import epath
from PIL.PngImagePlugin import PngInfo

from adseg_jax.data.classes import to_text
from adseg_jax.data.pixels import OWN_CLASSES
from adseg_jax.errors import UserError
from adseg_jax.evaluation.gallery import overlay, paletted
from adseg_jax.evaluation.trained import Trained
from adseg_jax.files import write, write_picture


def write_prediction(
    folder: epath.Path, name: str, picture, found, trained: Trained
):
  """labels/NAME.png, overlays/NAME.jpg and, if given, probabilities.

  A label says itself which classes its colours are.

  Args:
    folder: of all results; made if it is missing.
    name: of the picture; it may hold folders.
    picture: uint8 [H,W,3].
    found: classes uint8 [H,W], or probabilities float32 [H,W,C], which are
      written to probabilities/NAME.npz: 'probabilities' and 'classes'.
    trained: for classes and palette.
  """
  label = found.argmax(-1) if found.ndim == 3 else found
  # Another data set may number its classes otherwise.
  own = PngInfo()
  own.add_itxt(OWN_CLASSES, to_text(trained.classes, trained.palette))
  write_picture(
      _place(folder, 'labels', f'{name}.png'),
      paletted(label, trained.palette), pnginfo=own,
  )
  write_picture(
      _place(folder, 'overlays', f'{name}.jpg'),
      overlay(picture, label, trained.palette), 'jpeg', quality=90,
  )
  if found.ndim == 3:
    file = io.BytesIO()
    np.savez(file, probabilities=found, classes=trained.classes)
    write(_place(folder, 'probabilities', f'{name}.npz'), file.getvalue())


def write_classes(folder: epath.Path, trained: Trained):
  """classes.txt, which says what the colours of labels/ mean.

  Raises:
    UserError: there is one of other classes, as of somebody's data set.
  """
  path = folder / 'classes.txt'
  text = to_text(trained.classes, trained.palette).encode()
  folder.mkdir(parents=True, exist_ok=True)
  if path.exists() and path.read_bytes() != text:
    raise UserError(
        f'--output {folder}: has a {path.name} of other classes: give another '
        'folder'
    )
  write(path, text)


def _place(folder, kind: str, name: str) -> epath.Path:
  path = folder / kind / name
  path.parent.mkdir(parents=True, exist_ok=True)
  return path
