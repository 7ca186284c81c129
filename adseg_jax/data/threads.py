"""Work on many files at once."""

import concurrent.futures
import itertools
from collections.abc import Iterable, Iterator

CHUNK = 64  # files in flight: a whole split might not fit into memory


def in_threads(function, items: Iterable) -> Iterator:
  """Yields the function of each item, in order, some computed ahead."""
  # Pillow decodes, and hashing runs, outside Python's global lock.
  with concurrent.futures.ThreadPoolExecutor() as pool:
    for chunk in chunks(items):
      yield from pool.map(function, chunk)


def chunks(items: Iterable) -> Iterator[list]:
  """Yields the items in lists of CHUNK, the last as long as it is."""
  items = iter(items)
  while chunk := list(itertools.islice(items, CHUNK)):
    yield chunk
