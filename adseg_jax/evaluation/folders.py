"""Where `adseg evaluate` leaves scores: none is written over another's."""

import json

from etils import epath

from adseg_jax.errors import UserError

FOLDER = 'evaluation'
FILES = 'scores.json', 'confusion.csv', 'confusion.png'


def check(output: epath.PathLike):
  """Refuses a folder of a person's that holds something else than scores.

  Args:
    output: the folder; '' for none.

  Raises:
    UserError: it does.
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
    how: words for what is unlike a plain evaluation; none: that one.
    step: of the checkpoint.
    last: step of the run's last checkpoint.

  Raises:
    UserError: it can't be written.
  """
  folder = folder_of(workdir, split, how)
  if step != last:
    folder = of_step(folder, step)
  folder = epath.Path(output) if output else folder
  probe = folder / '.writable'
  try:
    if output:
      folder.mkdir(parents=True, exist_ok=True)
    else:
      make_room(folder, step)
    probe.write_text('')
    probe.unlink()
  except OSError as error:
    raise _unusable(f'--output {output}' if output else folder, error) from (
        error
    )
  return folder


def _unusable(where, error: OSError) -> UserError:
  return UserError(
      f'{where}: cannot be written ({error.strerror}): give another folder as '
      '--output'
  )


def folder_of(workdir: epath.Path, split: str, how: list[str]) -> epath.Path:
  """The folder of a split that is seen in some way.

  Args:
    workdir: folder of the run.
    split: name of the split.
    how: words for what is unlike a plain evaluation; none: that one.
  """
  return workdir / FOLDER / '_'.join([split, *how])


def of_step(folder: epath.Path, step: int) -> epath.Path:
  """The folder beside it of the same evaluation of another checkpoint."""
  return folder.with_name(f'{folder.name}_step{step}')


def make_room(folder: epath.Path, step: int):
  """Makes the folder; scores of another step move to one of their own."""
  path = folder / 'scores.json'
  try:
    there = json.loads(path.read_text())['step']
  except (FileNotFoundError, ValueError, KeyError, TypeError):
    there = step
  if there != step:
    aside = of_step(folder, there)
    if aside.exists():
      aside.rmtree()
    folder.rename(aside)
  folder.mkdir(parents=True, exist_ok=True)
