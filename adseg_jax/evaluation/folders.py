"""Where `adseg evaluate` leaves scores: none is written over another's."""

import json

from etils import epath

FOLDER = 'evaluation'


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
