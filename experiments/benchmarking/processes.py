"""Workers as processes that take turns, and what they measure."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from adseg_jax.errors import UserError

VARIANTS = 'eager', 'channels_last', 'compile'
TOLERANCE = 1e-4  # of losses and gradients, relative
SECOND_STARTS = 3
AT_HAND = 4 * 2**30  # bytes; more than a start on a CPU takes
_EXPERIMENTS = Path(__file__).parents[1]
# The same for all. glibc gives big buffers back to the kernel after each step
# otherwise, to be faulted in again by the next, in pages of 4 KiB. Above 64 MiB
# it still does, outside the main thread, but in large pages.
_ALLOCATOR = {
    'MALLOC_MMAP_MAX_': '0', 'MALLOC_TRIM_THRESHOLD_': '100000000000',
    'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=1',
}


class Failed(Exception):
  """A worker could not do what it was told; one line says why."""


class Worker:
  """A process that measures.

  Attributes:
    spawned: time.time() when it was started.
  """

  def __init__(self, python: str, module: str, cache: str):
    self.spawned = time.time()
    self.process = subprocess.Popen(
        [python, '-m', f'benchmarking.{module}'], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=_environment(cache),
    )

  def ask(self, command: str, **arguments) -> dict:
    """The answer to a command.

    Raises:
      Failed: the worker says so, or it is gone.
    """
    try:
      request = json.dumps({'command': command, **arguments})
      print(request, file=self.process.stdin, flush=True)
      answer = json.loads(self.process.stdout.readline())
    except (BrokenPipeError, ValueError):
      raise Failed(
          f'the process ended with status {self.process.wait()}'
      ) from None
    if 'error' in answer:
      raise Failed(answer['error'])
    return answer

  def close(self):
    """Ends the process."""
    with contextlib.suppress(BrokenPipeError):
      self.process.stdin.close()
    self.process.wait()
    self.process.stdout.close()


def _environment(cache):
  paths = [str(_EXPERIMENTS), os.environ.get('PYTHONPATH', '')]
  return os.environ | _ALLOCATOR | {
      'PYTHONPATH': os.pathsep.join(filter(None, paths)),
      'JAX_ENABLE_COMPILATION_CACHE': 'true',
      'JAX_COMPILATION_CACHE_DIR': cache, 'TORCHINDUCTOR_CACHE_DIR': cache,
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
      # Two processes share a GPU.
      'XLA_PYTHON_CLIENT_PREALLOCATE': 'false',
  }


@contextlib.contextmanager
def open_worker(python: str, module: str, cache: str = ''):
  """A Worker; it ends with the context.

  Args:
    python: interpreter.
    module: the worker's.
    cache: folder of compiled programs; '' gives it one of its own.
  """
  with tempfile.TemporaryDirectory() as own:
    worker = Worker(python, module, cache or own)
    try:
      yield worker
    finally:
      worker.close()


def have_memory_at_hand():
  """Fills free memory and frees it, so that a start need not wait for it.

  A virtual machine may give free memory back to its host, and wait two seconds
  a GiB to get it again: a start would measure how long ago another process
  ended. In a process of its own: a worker's peak of memory would begin with
  that of this one.
  """
  known = 'SC_AVPHYS_PAGES' in os.sysconf_names  # not on every system
  pages = os.sysconf('SC_AVPHYS_PAGES') if known else 0
  count = min(AT_HAND, pages * os.sysconf('SC_PAGE_SIZE') // 2)
  subprocess.run(
      [sys.executable, '-c', f'import numpy; numpy.ones({count}, "u1")'],
      check=True,
  )


def find_torch(python: str) -> str:
  """PyTorch's version in an interpreter, '' without it.

  Raises:
    UserError: there is no such interpreter.
  """
  try:
    return subprocess.run(
        [python, '-c', 'import numpy, torch; print(torch.__version__)'],
        capture_output=True, text=True,
    ).stdout.strip()
  except OSError as error:
    raise UserError(
        f'--torch-python {python}: cannot be run ({error.strerror}): give the '
        'path of a Python interpreter'
    ) from error


def device() -> dict:
  """'platform' and 'hardware' that JAX computes on."""
  with open_worker(sys.executable, 'jax_worker') as worker:
    return worker.ask('device')


def agree(name: str, case: dict, torch_python: str, platform: str) -> dict:
  """Largest relative difference of losses and gradients, and where it is.

  In float32, whatever the case's precision.

  Raises:
    UserError: it is above the tolerance: there is nothing to compare.
  """
  exact = case['experiment'] | {'precision': 'float32'}
  case = case | {'experiment': exact}
  with tempfile.TemporaryDirectory() as folder:
    files = {
        'inputs': f'{folder}/inputs.npz', 'outputs': f'{folder}/outputs.npz'
    }
    with open_worker(sys.executable, 'jax_worker') as worker:
      worker.ask('check', case=case, **files)
    with open_worker(torch_python, 'pytorch_worker') as worker:
      found = worker.ask('check', case=case, platform=platform, **files)
  if not found['difference'] <= TOLERANCE:
    raise UserError(
        f'{name}: JAX and PyTorch disagree by {found["difference"]:.1e} in '
        f'{found["where"]}, above {TOLERANCE:.0e}: nothing can be compared'
    )
  return found


def measure(
    case: dict, torch_python: str, platform: str, rounds: int, steps: int,
    variants=VARIANTS,
) -> dict:
  """Measures all variants of a case in turns.

  Args:
    case: Case.as_json.
    torch_python: interpreter with PyTorch; '' measures JAX alone.
    platform: JAX's.
    rounds: turns of each variant.
    steps: timed steps a turn.
    variants: of PyTorch.

  Returns:
    'xla', what it says of the step; 'flops' of the step as PyTorch counts
    them, None without it; 'left_out', variant -> why; 'variants', name -> its
    'start', 'second_starts', 'memory', 'turns' and 'limits'.
  """
  with contextlib.ExitStack() as stack:
    workers, found, left_out = {}, {}, {}
    for name in ('jax', *(variants if torch_python else ())):
      side, options = _side(name, torch_python, platform)
      cache = stack.enter_context(tempfile.TemporaryDirectory())
      have_memory_at_hand()
      worker = stack.enter_context(open_worker(*side, cache))
      try:
        found[name] = _started(worker, case, steps, options) | {
            'second_starts': [
                _second_start(side, cache, case, options)
                for _ in range(SECOND_STARTS)
            ]
        }
        workers[name] = worker
      except Failed as error:
        if name == 'jax':
          raise
        left_out[name] = str(error)
        worker.close()
    _rounds(workers, found, rounds, steps)
    xla = workers['jax'].ask('analyze')
    eager = workers.get('eager')
    flops = eager.ask('count')['flops'] if eager else None
  return {
      'xla': xla, 'flops': flops, 'left_out': left_out, 'variants': found
  }


def _side(name, torch_python, platform):
  """((interpreter, module), options of its start) of a variant."""
  if name == 'jax':
    return (sys.executable, 'jax_worker'), {}
  return (torch_python, 'pytorch_worker'), {
      'variant': name, 'platform': platform
  }


def _started(worker, case, steps, options) -> dict:
  """The first step, its time, and memory after some more."""
  start = _start(worker, case, options)
  worker.ask('steps', count=steps)
  return {
      'start': start, 'memory': worker.ask('memory'), 'turns': [],
      'limits': [],
  }


def _start(worker, case, options) -> dict:
  """Seconds of the first step, and until it was done."""
  found = worker.ask('start', case=case, **options)
  return {
      'first_step': found['first'],
      'since_process_start': found['time'] - worker.spawned,
  }


def _second_start(side, cache, case, options) -> dict:
  """The same of a process that finds the first one's compiled programs."""
  have_memory_at_hand()
  with open_worker(*side, cache) as worker:
    return _start(worker, case, options)


def _rounds(workers, found, rounds, steps):
  """Turns of all workers, each round from another one on."""
  names = list(workers)
  for index in range(rounds):
    first = index % len(names)
    order = names[first:] + names[:first]
    for name in order:
      found[name]['turns'].append(workers[name].ask('steps', count=steps))
    for name in order:
      # Compilation changes nothing about a single convolution.
      if name != 'compile':
        found[name]['limits'].append(workers[name].ask('limits'))
