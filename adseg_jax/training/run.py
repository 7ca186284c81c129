"""What a workdir says of its run: experiment, versions, commit, command."""

import contextlib
import dataclasses
import fcntl
import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

import jax
from etils import epath

from adseg_jax import files
from adseg_jax.config import Experiment, flatten
from adseg_jax.data.dataset import Dataset
from adseg_jax.errors import UserError

PACKAGES = (
    'adseg_jax', 'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint',
    'tensorflow-datasets', 'numpy',
)
# Where files lie is not part of the experiment: a run may move to another
# machine.
PLACES = ('data.root', 'data.prepared')
NAME = 'experiment.json'
LOCK = '.lock'


def write_json(path: epath.Path, content: dict):
  """Writes it whole or not at all."""
  files.write(path, (json.dumps(content, indent=2) + '\n').encode())


@contextlib.contextmanager
def alone(workdir: epath.Path):
  """Makes the workdir if need be, and keeps other runs out of it.

  The kernel drops the lock with the process, however it ends. On storage that
  is no file system (gs://) nothing keeps them out.

  Raises:
    UserError: another run is in it, or it can't be written.
  """
  if '://' in str(workdir):
    workdir.mkdir(parents=True, exist_ok=True)
    yield
    return
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    lock = open(workdir / LOCK, 'a+')  # noqa: SIM115
  except OSError as error:
    raise _unusable(workdir, error) from error
  with lock:
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      lock.seek(0)
      raise UserError(
          f'--workdir {workdir}: another run is in it ({lock.read().strip()}): '
          'wait for its end, or give another folder'
      ) from None
    lock.truncate(0)
    lock.write(f'process {os.getpid()} on {platform.node()}\n')
    lock.flush()
    yield


def _unusable(workdir, error: OSError) -> UserError:
  return UserError(
      f'--workdir {workdir}: cannot be written ({error.strerror}): give '
      'another folder'
  )


def check(workdir: epath.Path, experiment: Experiment):
  """Refuses a workdir that can't be this experiment's; writes nothing.

  Raises:
    UserError: the workdir holds another experiment, or is no folder.
  """
  path = workdir / NAME
  try:
    theirs = flatten(json.loads(path.read_text())['experiment'])
  except FileNotFoundError:
    return
  except OSError as error:
    raise UserError(
        f'--workdir {workdir}: cannot be used ({error.strerror}): give another '
        'folder'
    ) from error
  except (ValueError, KeyError, TypeError, AttributeError) as error:
    raise UserError(
        f'{path}: cannot be read ({type(error).__name__}): give another '
        '--workdir, or move this one away'
    ) from error
  mine = flatten(_as_json(experiment))
  for name in sorted((mine.keys() | theirs.keys()) - set(PLACES)):
    if mine.get(name) != theirs.get(name):
      raise UserError(
          f'--workdir {workdir}: holds another experiment ({name} is '
          f'{theirs.get(name)} there, {mine.get(name)} here): give another '
          '--workdir, or the same settings to continue that run'
      )


def _as_json(experiment: Experiment) -> dict:
  """With lists for tuples, as reading JSON gives it."""
  return json.loads(json.dumps(dataclasses.asdict(experiment)))


def claim(workdir: epath.Path, experiment: Experiment, dataset: Dataset):
  """Makes the workdir this experiment's, after `check`.

  Raises:
    UserError: the workdir can't be written.
  """
  path = workdir / NAME
  if path.exists():
    return
  try:
    write_json(path, {
        'experiment': _as_json(experiment),
        'dataset': {
            'name': dataset.name, 'classes': dataset.classes,
            'palette': dataset.palette,
        },
        'versions': versions(),
        'commit': commit(),
        'devices': devices(),
        'command': shlex.join([Path(sys.executable).name, *sys.argv]),
    })
  except OSError as error:
    raise _unusable(workdir, error) from error


def versions() -> dict[str, str]:
  """Versions of Python and of the packages that decide a result."""
  found = {'python': platform.python_version()}
  for name in PACKAGES:
    found[name] = importlib.metadata.version(name)
  return found


def commit() -> str:
  """Short commit of the source tree, '+' with changes; '' outside git."""
  try:
    return subprocess.run(
        ['git', 'describe', '--always', '--dirty=+', '--exclude=*'],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=True,
    ).stdout.strip()
  except (OSError, subprocess.CalledProcessError):
    return ''


def devices() -> str:
  """Such as '1 x cpu (2 cores)'."""
  kinds = [device.device_kind for device in jax.devices()]
  return f'{len(kinds)} x {kinds[0]} ({os.cpu_count()} cores)'
