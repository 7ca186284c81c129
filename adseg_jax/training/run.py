"""The workdir of a run: whose it is, whether the run is finished, what runs."""

import contextlib
import fcntl
import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

import jax
from etils import epath

from adseg_jax import environment, files
from adseg_jax.config import Experiment
from adseg_jax.errors import UserError
from adseg_jax.wording import counted

PACKAGES = (
    'adseg_jax', 'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint',
    'tensorflow-datasets', 'numpy',
)
# Where files lie is not part of the experiment: a run may move to another
# machine.
PLACES = ('data.root', 'data.prepared', 'data.unlabelled')
NAME = 'experiment.json'
# What a finished run has, on its validation and its test split.
SCORES = 'scores.json'
TEST_SCORES = 'scores_test.json'
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
  with files.writing('--workdir', workdir):
    workdir.mkdir(parents=True, exist_ok=True)
    lock = open(workdir / LOCK, 'a+')  # noqa: SIM115
  with lock:
    if not _locked(lock):
      lock.seek(0)
      raise UserError(
          f'--workdir {workdir}: another run is in it ({lock.read().strip()}): '
          'wait for its end, or give another folder'
      )
    lock.truncate(0)
    lock.write(f'process {os.getpid()} on {platform.node()}\n')
    lock.flush()
    yield


def _locked(lock) -> bool:
  """Locks it, unless another run has; a look of `taken` lasts no time."""
  for patience in 0.1, 0:
    with contextlib.suppress(BlockingIOError):
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      return True
    time.sleep(patience)
  return False


def taken(workdir: epath.Path) -> bool:
  """Whether a run is in the workdir, on this machine or on another one.

  Never known on storage that is no file system (gs://).
  """
  if '://' in str(workdir):
    return False
  try:
    with open(workdir / LOCK) as lock:
      fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
  except OSError as error:
    return isinstance(error, BlockingIOError)
  return False


def scored_step(workdir: epath.Path, name: str = SCORES) -> int:
  """Step that the final scores are of; 0 where there are none, or damaged."""
  try:
    return int(json.loads((workdir / name).read_text())['step'])
  except (FileNotFoundError, NotADirectoryError, ValueError, KeyError,
          TypeError):
    return 0


def finished(workdir: epath.Path, experiment: Experiment) -> bool:
  """Whether the run has the scores of its last step."""
  return scored_step(workdir) >= experiment.optimizer.steps


def amendments(record: dict) -> list[tuple[str, str]]:
  """(what changed from which step on, command) of each start of a record."""
  return [
      (in_words(start['step'], start['changed']), start['command'])
      for start in record.get('starts', ()) if 'changed' in start
  ]


def in_words(step: int, changed: dict[str, list]) -> str:
  """Such as 'from step 100 on: optimizer.steps 200 (was 100)'."""
  def shown(value):  # of a digest, as much as two people compare
    return value[:8] if isinstance(value, str) else value

  words = [
      f'{field} {shown(after)} (was {shown(before)})'
      for field, (before, after) in changed.items()
  ]
  return f'from step {step} on: {", ".join(words)}'


def command() -> str:
  """The command line of this process."""
  return shlex.join([Path(sys.executable).name, *sys.argv])


def versions() -> dict[str, str]:
  """Versions of Python and of the packages that decide a result."""
  return {'python': platform.python_version()} | {
      name: importlib.metadata.version(name) for name in PACKAGES
  }


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
  found, cores = jax.devices(), counted(environment.cores(), 'core')
  return f'{len(found)} x {found[0].device_kind} ({cores})'
