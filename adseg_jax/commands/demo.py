"""`adseg demo`: a page to drop pictures on."""

import dataclasses
import importlib.util
import tempfile

import tyro

from adseg_jax import environment
from adseg_jax.commands.options import Weights
from adseg_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Arguments(Weights):
  """Serves a page on this machine: drop a picture, see its classes.

  It shows the picture under a slider against its classes, each class's share
  of the pixels, and how sure the segmentor is of each pixel. Only this machine
  can open the page; what is dropped there is removed when the command ends.
  Needs gradio: pip install --editable '.[demo]'

  Examples:

  adseg demo runs/earth

  adseg demo runs/camvid --port 8000 --checkpoint best
  """

  workdir: tyro.conf.Positional[str] = ''
  """Folder of a run."""
  port: int = 7860
  """Of the page's address, http://127.0.0.1:PORT; 0 takes a free one."""


def run(arguments: Arguments):
  """Runs the command until it is stopped.

  Raises:
    UserError: the workdir or the port can't be used, or gradio is missing.
  """
  if not arguments.workdir:
    raise UserError('give the workdir of a run: adseg demo WORKDIR')
  if importlib.util.find_spec('gradio') is None:
    raise UserError("adseg demo needs gradio: pip install --editable '.[demo]'")
  try:
    _serve(arguments)
  except KeyboardInterrupt:
    print('stopped: the pictures that were dropped are removed', flush=True)


def _serve(arguments):
  # Slow to import: not before the arguments are read.
  with environment.importing():
    from adseg_jax.evaluation.predict import make_predict
    from adseg_jax.inference.demo import server, words

  with (
      server.listen(arguments.port) as listening,
      tempfile.TemporaryDirectory(prefix='adseg-') as folder,
  ):
    trained = arguments.restore(arguments.workdir)
    server.quiet(folder)
    from adseg_jax.inference.demo.page import THEME, make_page

    page = make_page(trained, make_predict(trained))
    print(
        f'http://{server.HOST}:{listening.getsockname()[1]} shows step '
        f'{trained.step} of {arguments.workdir}. Ctrl-C ends it.', flush=True,
    )
    server.serve(page, THEME, words.STYLE, listening)
