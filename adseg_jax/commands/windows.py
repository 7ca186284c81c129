"""The option --sliding of commands that look at pictures in parts."""

import re

from adseg_jax.errors import UserError


def window_of(text: str) -> tuple[int, int] | None:
  """'480x640' as (480, 640); '' as None.

  Raises:
    UserError: it is neither.
  """
  if not text:
    return None
  found = re.fullmatch(r'(\d+)x(\d+)', text)
  window = tuple(map(int, found.groups())) if found else (0, 0)
  if not all(window):
    raise UserError(
        f'--sliding is {text}: give HEIGHTxWIDTH in pixels, such as 480x480'
    )
  return window
