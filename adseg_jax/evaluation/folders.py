"""Where `adseg evaluate` leaves scores: none is written over another's."""

import json

from etils import epath

from adseg_jax.errors import UserError

FOLDER = 'evaluation'
FILES = 'scores.json', 'confusion.csv', 'confusion.png'


def check(output: epath.PathLike):
  """Refuses a person's folder, '' for none, that holds something else.

  Raises:
    UserError: it holds no scores, or can't be read.
  """
  if not output:
    return
  try:
    there = {path.name for path in epath.Path(output).iterdir()}
  except FileNotFoundError:
    return
  except OSError as error:
    raise _unusable(f'--output {output}', error) from error
  if others := sorted(there - {*FILES}):
    raise UserError(
        f'--output {output}: holds {others[0]}, which is no scores: give '
        'another folder'
    )


def claim(
    workdir: epath.Path, output: epath.PathLike, split: str, how: list[str],
    step: int, last: int,
) -> epath.Path:
  """Makes the folder of an evaluation, and sees that it can be written.

  Args:
    workdir: folder of the run.
    output: folder that a person gave; '' for one of the workdir's.
    split: name of the split.
    how: words for what is unlike a plain evaluation.
    step: of the checkpoint.
    last: step of the run's last checkpoint.

  Raises:
    UserError: it can't be written.
  """
  folder = workdir / FOLDER / '_'.join([split, *how])
  if output:
    folder = epath.Path(output)
  elif step != last:
    folder = _of_step(folder, step)
  probe = folder / '.writable'
  try:
    if not output:
      _move_aside(folder, step)
    folder.mkdir(parents=True, exist_ok=True)
    probe.write_text('')
    probe.unlink()
  except OSError as error:
    where = f'--output {output}' if output else folder
    raise _unusable(where, error) from error
  return folder


def _unusable(where, error: OSError) -> UserError:
  return UserError(
      f'{where}: cannot be written ({error.strerror}): give another folder as '
      '--output'
  )


def _of_step(folder: epath.Path, step: int) -> epath.Path:
  """The folder beside it of the same evaluation of another checkpoint."""
  return folder.with_name(f'{folder.name}_step{step}')


def _move_aside(folder: epath.Path, step: int):
  """Scores of another step that are there get a folder of their own."""
  try:
    there = json.loads((folder / 'scores.json').read_text())['step']
  except (FileNotFoundError, ValueError, KeyError, TypeError):
    return
  if there != step:
    aside = _of_step(folder, there)
    if aside.exists():
      aside.rmtree()
    folder.rename(aside)
