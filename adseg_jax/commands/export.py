"""`adseg export`: a trained segmentor that runs without this package."""

import dataclasses
import json
import shutil
import tempfile
from pathlib import Path

import tyro

from adseg_jax.commands.options import Weights
from adseg_jax.errors import UserError
from adseg_jax.files import writing


@dataclasses.dataclass(frozen=True)
class Arguments(Weights):
  """Writes a trained segmentor for use without this package.

  model.jax_export is a StableHLO program for CPU, CUDA and TPU (jax.export),
  saved_model/ a TensorFlow SavedModel; both take uint8 images of any batch,
  height and width and give labels and probabilities. README.md and card.json
  tell classes, palette, scores and experiment.

  Examples:

  adseg export runs/earth --output earth-segmentor

  adseg export runs/earth --output best --checkpoint best
  """

  workdir: tyro.conf.Positional[str] = ''
  """Folder of a run."""
  output: Path | None = None
  """Folder to write; an export that is there is replaced."""


def run(arguments: Arguments):
  """Runs the command.

  Raises:
    UserError: the workdir can't be read, or the folder can't be written.
  """
  if not arguments.workdir:
    raise UserError('give the workdir of a run: adseg export WORKDIR')
  if arguments.output is None:
    raise UserError('give a folder to write: --output DIR')
  output = arguments.output.absolute()
  if output.exists() and not (output / 'card.json').exists() and (
      not output.is_dir() or any(output.iterdir())
  ):
    raise UserError(
        f'--output {arguments.output}: is there, and no export: give another '
        'folder'
    )
  trained = arguments.restore(arguments.workdir)
  with writing('--output', arguments.output):
    _write(arguments.workdir, trained, output)
  print(f'Step {trained.step}: {arguments.output}')


def _write(workdir: str, trained, output: Path):
  """All files, beside and then renamed."""
  from etils import epath

  from adseg_jax.inference.exporting import card, programs

  output.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(
      dir=output.parent, prefix=f'.{output.name}.'
  ) as beside:
    folder = Path(beside) / 'export'
    folder.mkdir()
    print('Writing the StableHLO program ...')
    (folder / card.PROGRAM).write_bytes(programs.to_stablehlo(trained))
    print('Writing the SavedModel ...')
    programs.write_saved_model(str(folder / card.MODEL), trained)
    content = card.card(epath.Path(workdir), trained)
    (folder / 'README.md').write_text(card.to_markdown(content), 'utf-8')
    (folder / 'card.json').write_text(json.dumps(content, indent=2) + '\n')
    if output.exists():
      shutil.rmtree(output)
    folder.rename(output)
