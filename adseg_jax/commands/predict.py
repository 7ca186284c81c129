"""`adseg predict`: label maps of a person's own pictures."""

import dataclasses
from pathlib import Path

import tyro

from adseg_jax import environment
from adseg_jax.commands.options import Weights, window_of
from adseg_jax.errors import UserError
from adseg_jax.files import writing
from adseg_jax.wording import counted


@dataclasses.dataclass(frozen=True)
class Arguments(Weights):
  """Gives every pixel of pictures a class.

  Writes, for each picture, labels/NAME.png (class ids, in the colours of the
  data set), overlays/NAME.jpg and, if asked, probabilities/NAME.npz. All are
  upright and of the picture's own size. A file that can't be read is named
  and skipped; the exit status is then 1. classes.txt beside them says what
  the labels mean: with the pictures in images/, they are a data set `folder`.

  Examples:

  adseg predict runs/camvid street.jpg --output out

  adseg predict runs/camvid photos 'more/**/*.png' --output out --probabilities
  """

  words: tyro.conf.Positional[tuple[str, ...]] = ()
  """WORKDIR PATH...: folder of a run, then files, folders (all pictures in
  them and below) or patterns."""
  output: Path | None = None
  """Folder of the results."""
  probabilities: bool = False
  """Also write the probabilities of the classes, float32 [H,W,C]."""
  sliding: str = ''
  """HEIGHTxWIDTH of the parts that a picture is predicted in, such as 480x480,
  in pixels: for pictures that do not fit the device. The labels stay the same.
  Empty: pictures above 1536x1536 pixels in parts of 1024x1024, others
  whole."""


def run(arguments: Arguments):
  """Runs the command.

  Raises:
    UserError: an option or the workdir can't be used, or a file was skipped.
  """
  workdir, *words = arguments.words or ['']
  if not words:
    raise UserError(
        'give a workdir and pictures: adseg predict WORKDIR PATH... --output '
        'DIR'
    )
  if arguments.output is None:
    raise UserError('give a folder for the results: --output DIR')
  window = window_of(arguments.sliding)
  # Slow to import: not before the arguments are read.
  with environment.importing():
    from adseg_jax.data.dataset import shorten
    from adseg_jax.inference import pictures
    from adseg_jax.inference.predict_files import write_predictions

  files, empty = pictures.find(words, arguments.output)
  if not files:
    raise UserError(f'{shorten(words)}: no picture there')
  trained = arguments.restore(workdir)
  with writing('--output', arguments.output):
    skipped = empty + write_predictions(
        arguments.output, files, trained, window, arguments.probabilities
    )
  written = len(files) + len(empty) - len(skipped)
  print(f'{counted(written, "picture")}: {arguments.output}')
  if skipped:
    raise UserError(f'skipped {len(skipped)}: {shorten(skipped)}')
