"""What a compiled program follows from, as hashes."""

import hashlib
import os
import sys
import sysconfig
from pathlib import Path

import jax

import adseg_jax
from adseg_jax import environment
from adseg_jax.training.run import versions

_INSTALLED = tuple(
    sysconfig.get_path(name) for name in ('stdlib', 'purelib', 'platlib')
)
# The beginnings of environment variables that change what XLA makes.
_XLA = 'XLA_', 'LIBTPU_'


def digest(*parts) -> str:
  """SHA-256 of texts and bytes, one after the other."""
  whole = hashlib.sha256()
  for part in parts:
    part = part.encode() if isinstance(part, str) else part
    whole.update(f'{len(part)} '.encode() + part)
  return whole.hexdigest()


def surroundings(devices) -> str:
  """Hash of versions, settings of JAX and XLA, processor and devices."""
  # Where programs are kept changes none.
  settings = {
      name: value for name, value in jax.config.values.items()
      if 'cache' not in name
  }
  variables = {
      name: value for name, value in os.environ.items()
      if name.startswith(_XLA)
  }
  return digest(repr([
      versions(), sorted(settings.items()), sorted(variables.items()),
      environment.machine(), devices[0].client.platform_version,
      [(device.id, device.device_kind) for device in devices],
  ]))


def code() -> str:
  """Hash of the source of this package and of what is no installed package.

  The latter is the user's, such as a script that adds an objective. Of
  packages, versions are enough.

  Raises:
    OSError: source that can't be read, as at a prompt, or that may not be what
      was loaded, since it changed afterwards.
  """
  paths = set(map(str, Path(adseg_jax.__file__).parent.rglob('*.py')))
  for name, module in list(sys.modules.items()):
    # Not getattr: some modules load others when they are asked.
    path = getattr(module, '__dict__', {}).get('__file__')
    if not path and name == '__main__':
      raise FileNotFoundError('the source of __main__ is in no file')
    # TensorFlow's AutoGraph writes what it rewrote anew in every process.
    generated = name.startswith('__autograph_generated')
    if path and not generated and not str(path).startswith(_INSTALLED):
      paths.add(str(path))
  if max(map(os.path.getmtime, paths)) > environment.LOADED:
    raise OSError('source changed after it was loaded')
  return digest(*(Path(path).read_bytes() for path in sorted(paths)))
