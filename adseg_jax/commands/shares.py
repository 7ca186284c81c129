"""Parts of this machine, each for one run at a time."""

import contextlib
import dataclasses
import os
import subprocess
import sys

from adseg_jax import environment
from adseg_jax.errors import UserError
from adseg_jax.wording import counted

# In this process JAX would keep memory of the GPUs that the runs need.
_PROBE = 'import jax; print(jax.default_backend(), jax.local_device_count())'
_CACHE = 'JAX_COMPILATION_CACHE_DIR'
_GPUS = 'CUDA_VISIBLE_DEVICES'
# The names of one setting, of which JAX allows one to be set; and its default.
_FRACTIONS = 'XLA_CLIENT_MEM_FRACTION', 'XLA_PYTHON_CLIENT_MEM_FRACTION'
_FRACTION = 0.75


@dataclasses.dataclass(frozen=True)
class Share:
  """A part of this machine; by default all of it.

  Attributes:
    cores: numbers of those that a process may use; empty: as this one.
    variables: of its environment, beside those of this one.
  """

  cores: frozenset[int] = frozenset()
  variables: dict[str, str] = dataclasses.field(default_factory=dict)

  def start(self, command, variables=None, **options) -> subprocess.Popen:
    """Starts a process that has this part; `options` are Popen's."""
    given = os.environ | self.variables | (variables or {})
    if self.cores and given.get(_CACHE) == str(environment.programs()):
      # Programs of as many cores as this process has: it finds its own.
      del given[_CACHE]
    with _on(self.cores):
      return subprocess.Popen(command, env=given, **options)


@contextlib.contextmanager
def _on(cores: frozenset[int]):
  """This thread, and what it starts, keeps to some cores."""
  if not cores:
    yield
    return
  before = os.sched_getaffinity(0)
  os.sched_setaffinity(0, cores)
  try:
    yield
  finally:
    os.sched_setaffinity(0, before)


def shares(count: int) -> list[Share]:
  """Equal parts of this machine, for so many runs at once.

  On a CPU each has as many cores, so that all runs of a table round alike. On
  GPUs each has GPUs of its own, or several have a GPU and a part of its memory.

  Raises:
    UserError: it can't be cut into so many.
  """
  if count < 1:
    raise UserError(f'--jobs is {count}: give at least 1')
  if count == 1:
    return [Share()]
  kind, devices = _devices()
  if kind == 'cpu':
    return _of_cores(count)
  if kind == 'gpu':
    return _of_gpus(count, devices)
  raise UserError(
      f'--jobs {count}: a run takes all of a {kind.upper()}: leave it out'
  )


def _devices() -> tuple[str, int]:
  """What JAX finds here: 'cpu', 'gpu' or 'tpu', and how many."""
  found = subprocess.run(
      [sys.executable, '-c', _PROBE], capture_output=True, text=True,
      env=os.environ | {'XLA_PYTHON_CLIENT_PREALLOCATE': 'false'}, check=False,
  )
  if found.returncode:
    said = (found.stderr.split('\n') or [''])[-2:-1]
    raise UserError(f'JAX finds no device: {" ".join(said)}')
  kind, count = found.stdout.split()[-2:]
  return kind, int(count)


def _of_cores(count: int) -> list[Share]:
  if count > environment.cores():
    raise UserError(
        f'--jobs {count}: this machine has '
        f'{counted(environment.cores(), "core")}, and each run takes at least '
        'one'
    )
  if not hasattr(os, 'sched_setaffinity'):  # macOS
    return [Share()] * count
  cores = sorted(os.sched_getaffinity(0))
  each = len(cores) // count
  return [
      Share(frozenset(cores[i * each:(i + 1) * each])) for i in range(count)
  ]


def _of_gpus(count: int, gpus: int) -> list[Share]:
  given = os.environ.get(_GPUS, '')
  names = given.split(',') if given else [str(i) for i in range(gpus)]
  if gpus % count == 0:
    each = gpus // count
    return [
        Share(variables={_GPUS: ','.join(names[i * each:(i + 1) * each])})
        for i in range(count)
    ]
  if count % gpus:
    raise UserError(
        f'--jobs {count}: there are {gpus} GPUs: give a divisor or a multiple '
        'of their number'
    )
  setting = next(
      (name for name in _FRACTIONS if os.environ.get(name)), _FRACTIONS[-1]
  )
  whole = float(os.environ.get(setting) or _FRACTION)
  fraction = f'{whole * gpus / count:.4f}'
  return [
      Share(variables={_GPUS: names[i % gpus], setting: fraction})
      for i in range(count)
  ]
