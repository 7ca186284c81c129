"""`adseg data`: the prepared copies of data sets, listed and cleared."""

import dataclasses
import datetime
from typing import Annotated

import tyro

from adseg_jax.data.copies import Copy, clear, copies, place
from adseg_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Arguments:
  """Lists the prepared copies of data sets on this machine, or deletes some.

  A copy is made when a data set is first used, and anew when a file of it has
  changed; older ones stay until they are cleared. Originals are never
  touched. `adseg data check` looks at what is in a data set.

  Examples:

  adseg data

  adseg data --clear folder

  adseg data --clear 0123456789ab
  """

  clear: tuple[str, ...] = ()
  """Copies to delete: names of data sets, or digests, or all."""
  prepared: Annotated[str, tyro.conf.arg(name='data.prepared')] = ''
  """Folder where they lie; empty: TFDS_DATA_DIR or ~/tensorflow_datasets."""


def run(arguments: Arguments):
  """Runs the command.

  Raises:
    UserError: what shall be deleted is not there, or can't be.
  """
  top = place(arguments.prepared)
  try:
    if arguments.clear:
      gone = clear(top, arguments.clear)
      size = _size(sum(copy.bytes for copy in gone))
      print(f'Deleted {len(gone)} prepared copies, {size}.')
      return
    found = copies(top)
  except OSError as error:
    raise UserError(
        f'{top}: cannot be read ({error.strerror}): give another '
        '--data.prepared'
    ) from error
  for copy in found:
    print('\n'.join(_lines(copy)))
  total = _size(sum(copy.bytes for copy in found))
  print(
      f'{len(found)} prepared copies in {top}, {total}; `adseg data --clear '
      'NAME` deletes some.' if found else f'No prepared copies in {top}.'
  )


def _lines(copy: Copy):
  made = datetime.datetime.fromtimestamp(copy.made).isoformat(' ', 'minutes')
  yield f'{copy.name}  {_size(copy.bytes)}  {made}' + (
      '' if copy.whole else '  not finished'
  )
  yield f'  {copy.path}'
  if copy.root:
    yield f'  from {copy.root}'
  yield from (f'  {line}' for line in copy.said)


def _size(count: int) -> str:
  return f'{count / 1e6:.1f} MB'
