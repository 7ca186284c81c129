"""Label maps of picture files."""

import io

import numpy as np
from etils import epath
from PIL.PngImagePlugin import PngInfo
from rich.console import Console
from rich.progress import track

from adseg_jax.data.classes import to_text
from adseg_jax.data.pixels import OWN_CLASSES
from adseg_jax.errors import UserError
from adseg_jax.evaluation.gallery import overlay, paletted
from adseg_jax.evaluation.inference import Views
from adseg_jax.evaluation.predict import predictions
from adseg_jax.evaluation.trained import Trained
from adseg_jax.files import write, write_picture
from adseg_jax.inference import pictures


def write_predictions(
    folder, files, trained: Trained, window, probabilities: bool
) -> list[str]:
  """Writes what a segmentor says of picture files; names those it skipped.

  The window is as `Views` has it.

  Raises:
    UserError: the folder is of other classes.
  """
  folder, console = epath.Path(folder), Console(stderr=True)
  names, shelf = pictures.names(files), pictures.Shelf(files)
  found = predictions(
      trained, shelf.sizes, shelf.read, Views(window=window),
      trained.experiment.evaluation.batch, classes=not probabilities,
  )
  write_classes(folder, trained)
  for index, picture, prediction in track(
      found, f'step {trained.step}', len(files), console=console,
      transient=True,
  ):
    if picture is None:
      console.print(
          f'skipped {files[index]}: {shelf.wrong[index]}', markup=False,
          highlight=False, soft_wrap=True,
      )
    else:
      write_prediction(folder, names[index], picture, prediction, trained)
  return [str(files[index]) for index in sorted(shelf.wrong)]


def write_prediction(
    folder: epath.Path, name: str, picture, found, trained: Trained
):
  """labels/NAME.png, overlays/NAME.jpg and, if given, probabilities.

  A label says itself which classes its colours are.

  Args:
    folder: of all results.
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
      _place(folder / 'labels' / f'{name}.png'),
      paletted(label, trained.palette), pnginfo=own,
  )
  write_picture(
      _place(folder / 'overlays' / f'{name}.jpg'),
      overlay(picture, label, trained.palette), 'jpeg', quality=90,
  )
  if found.ndim == 3:
    file = io.BytesIO()
    np.savez(file, probabilities=found, classes=trained.classes)
    write(_place(folder / 'probabilities' / f'{name}.npz'), file.getvalue())


def write_classes(folder: epath.Path, trained: Trained):
  """classes.txt, which says what the colours of labels/ mean.

  Raises:
    UserError: there is one of other classes, as of somebody's data set.
  """
  path = _place(folder / 'classes.txt')
  text = to_text(trained.classes, trained.palette).encode()
  if path.exists() and path.read_bytes() != text:
    raise UserError(
        f'--output {folder}: has a {path.name} of other classes: give another '
        'folder'
    )
  write(path, text)


def _place(path: epath.Path) -> epath.Path:
  """The path, whose folder is made."""
  path.parent.mkdir(parents=True, exist_ok=True)
  return path
