"""A folder of named contents that come back whole, or not at all."""

import contextlib
import hashlib
import os
import time
from pathlib import Path

import jax

from adseg_jax import files

MONTH = 30 * 24 * 3600  # seconds
_DIGEST = hashlib.sha256().digest_size


class Shelf:
  """What can't be written or read is not there: nothing is said of it."""

  def __init__(self, folder: Path):
    """Makes no folder yet."""
    self._folder = folder

  def get(self, name: str) -> bytes | None:
    """The content; None where there is none, or it is damaged."""
    path = self._folder / name
    try:
      content = path.read_bytes()
    except OSError:
      return None
    with contextlib.suppress(OSError):  # a folder may be read and not written
      os.utime(path)  # when it was last used
    whole = hashlib.sha256(content[_DIGEST:]).digest() == content[:_DIGEST]
    return content[_DIGEST:] if whole else None

  def put(self, name: str, content: bytes):
    """Keeps it, and deletes what was not used for a month."""
    with contextlib.suppress(OSError):
      self._folder.mkdir(parents=True, exist_ok=True)
      files.write(
          self._folder / name, hashlib.sha256(content).digest() + content
      )
      for path in self._folder.iterdir():
        if time.time() - path.stat().st_mtime > MONTH:
          path.unlink()


def beside_jax() -> Shelf | None:
  """In JAX's folder of compiled programs; None where it keeps none here."""
  folder = jax.config.jax_compilation_cache_dir
  if not folder or not jax.config.jax_enable_compilation_cache:
    return None
  if '://' in folder or jax.process_count() > 1:
    return None
  return Shelf(Path(folder) / 'adseg_jax')
