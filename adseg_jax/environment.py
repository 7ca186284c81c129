"""What must be said before TensorFlow and JAX are imported."""

import contextlib
import gc
import hashlib
import os
import platform
import sys
from pathlib import Path


def prepare():
  """Sets what the environment does not: quiet libraries, kept programs.

  Compiled programs are kept in the user's cache folder, so that a second
  start, or a second seed, traces and does not compile again; the variable
  JAX_COMPILATION_CACHE_DIR names another folder.
  """
  # TensorFlow logs to stderr from C++ otherwise.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  # Small programs, too: the first state's compiles in just below a second.
  os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0')
  if os.path.expanduser('~') == '~':
    # Keras, which comes with TensorFlow, would make a folder of that name.
    os.environ.setdefault('KERAS_HOME', os.devnull)
  if 'JAX_COMPILATION_CACHE_DIR' not in os.environ:
    folder = programs()
    if folder is None:
      return
    try:
      folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # A home that can't be written is no reason to stop.
      return
    os.environ['JAX_COMPILATION_CACHE_DIR'] = str(folder)


@contextlib.contextmanager
def importing():
  """Imports inside take less time, and so do all collections of garbage later.

  The collector would go through the 600,000 objects that JAX and TensorFlow
  make, again and again, and they stay.
  """
  on, before = gc.isenabled(), len(sys.modules)
  gc.disable()
  try:
    yield
  finally:
    if len(sys.modules) > before:
      gc.freeze()
    if on:
      gc.enable()


def programs() -> Path | None:
  """Where compiled programs are kept on this machine; None without a home.

  A program for a CPU fits processors with the same instructions, and gives
  the same bits on as many cores; JAX asks for neither, and homes are shared.
  """
  home = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  if home.startswith('~'):
    return None
  digest = hashlib.sha256(machine().encode()).hexdigest()[:12]
  return Path(home) / 'adseg_jax' / 'programs' / digest


def machine() -> str:
  """The processor's instructions, and how many cores this process may use."""
  try:
    lines = Path('/proc/cpuinfo').read_text().splitlines()
    processor = next(line for line in lines if line.startswith('flags'))
  except (OSError, StopIteration):
    processor = f'{platform.machine()} {platform.processor()}'
  return f'{processor} {cores()}'


def cores() -> int:
  """How many this process may use, where the system tells."""
  allowed = getattr(os, 'sched_getaffinity', None)
  return len(allowed(0)) if allowed else os.cpu_count() or 1
