"""Files that are written whole or not at all."""

import contextlib
import io
import secrets

from etils import epath
from PIL import Image

from adseg_jax.errors import UserError


def write(path: epath.Path, content: bytes):
  """Writes beside, then renames: a reader never sees half a file."""
  path = epath.Path(path)
  # Machines that share a folder may write the same file at the same time.
  beside = path.with_name(f'{path.name}.{secrets.token_hex(4)}.tmp')
  try:
    beside.write_bytes(content)
    beside.replace(path)
  except BaseException:  # Ctrl-C too
    beside.unlink(missing_ok=True)
    raise


def write_picture(path: epath.Path, picture: Image.Image, kind='png', **more):
  """Writes a picture, by default as PNG; `more` are Pillow's options."""
  file = io.BytesIO()
  picture.save(file, kind, **more)
  write(path, file.getvalue())


@contextlib.contextmanager
def writing(option: str, path: epath.PathLike):
  """Files below a path that an option named.

  Raises:
    UserError: one can't be written.
  """
  try:
    yield
  except OSError as error:
    raise UserError(
        f'{option} {path}: cannot be written ({error.strerror}): give another'
    ) from error
