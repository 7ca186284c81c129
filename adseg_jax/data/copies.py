"""Prepared copies of data sets, as TFDS keeps them on this machine."""

import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from adseg_jax.data.dataset import MODULES
from adseg_jax.errors import UserError

ORIGIN = 'origin.json'  # beside a copy: what it was made from
_INFO = 'dataset_info.json'  # TFDS writes it last
ALL = 'all'


class Copy(NamedTuple):
  """A prepared copy."""

  name: str  # of the data set, and digest of its originals where it has one
  path: Path  # its folder
  bytes: int  # on the disk
  made: float  # seconds since 1970
  whole: bool  # whether its preparation came to an end
  root: str = ''  # where the originals were; '' where that is not known
  said: tuple[str, ...] = ()  # how they were understood, a line each


def place(prepared: str = '') -> Path:
  """Where copies lie: `data.prepared`, else where TFDS puts them.

  Raises:
    UserError: that is below a home, and there is none.
  """
  given = prepared or os.environ.get('TFDS_DATA_DIR')
  try:
    return Path(given or '~/tensorflow_datasets').expanduser()
  except RuntimeError:
    raise UserError(
        'prepared data sets have no place, since there is no home folder here: '
        'give a folder as --data.prepared or in TFDS_DATA_DIR'
    ) from None


def copies(top: Path) -> list[Copy]:
  """All copies of this package's data sets in a folder, the newest first."""
  found = [
      _copy(top, path)
      for name in MODULES if (top / name).is_dir()
      for path in _versions(top / name)
  ]
  return sorted(found, key=lambda copy: copy.made, reverse=True)


def _versions(top: Path) -> list[Path]:
  """Folders of versions, whole or not, below a data set's folder."""
  found = []
  for path in sorted(path for path in top.iterdir() if path.is_dir()):
    if (path / _INFO).exists() or '.incomplete' in path.name:
      found.append(path)
    else:
      found += _versions(path)
  return found


def _copy(top: Path, path: Path) -> Copy:
  files = [file.stat() for file in path.rglob('*') if file.is_file()]
  try:
    origin = json.loads((path / ORIGIN).read_text())
    origin = {'root': origin['root'], 'said': tuple(origin['said'])}
  except (OSError, ValueError, KeyError, TypeError):
    origin = {}
  return Copy(
      '/'.join(path.relative_to(top).parts[:-1]), path,
      sum(file.st_size for file in files), path.stat().st_mtime,
      (path / _INFO).exists() and '.incomplete' not in path.name, **origin,
  )


def clear(top: Path, words) -> list[Copy]:
  """Deletes copies in a folder; returns those that are gone.

  Each word is the name of a data set or a copy, a digest, or ALL.

  Raises:
    UserError: a word names none, before anything is deleted; or a copy
      cannot be deleted.
  """
  there = copies(top)
  chosen = {}
  for word in words:
    named = [
        copy for copy in there
        if word in (ALL, copy.name, *copy.name.split('/'))
    ]
    if not named:
      raise UserError(
          f'--clear {word}: no prepared copy of that name in {top}; `adseg '
          'data` lists them'
      )
    chosen |= {copy.path: copy for copy in named}
  for path in chosen:
    try:
      shutil.rmtree(path)
    except OSError as error:
      raise UserError(
          f'{path}: cannot be deleted ({error.strerror})'
      ) from error
    _remove_empty(path.parent, top)
  return list(chosen.values())


def _remove_empty(folder: Path, top: Path):
  """Folders that nothing is left in, up to `top`."""
  while folder != top and not any(folder.iterdir()):
    folder.rmdir()
    folder = folder.parent
