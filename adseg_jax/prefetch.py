"""A thread works ahead: batches wait for the devices, not they for batches."""

import collections
import concurrent.futures
import contextlib
from collections.abc import Callable, Iterable, Iterator

# One is taken while the step before runs, one more evens out what takes
# longer than others; each costs the memory of a batch.
AHEAD = 2


def prefetch(
    batches: Iterable,
    place: Callable,
    *,
    settle: Callable[[], object] = lambda: None,
    waiting: Callable = contextlib.nullcontext,
) -> Iterator:
  """The batches, in their order, placed ahead of time by a thread.

  At most AHEAD batches are placed and not yet yielded. What the source raises
  comes where its batch would have come, after all before it. Close the
  iterator to end the thread; what was ahead is then dropped.

  Steps are dispatched, not run, when the loop comes back for the next batch:
  a moment that it waits here is no loss while the devices still have work. So
  where no batch is ready, `settle` first lets them finish; `waiting` is around
  the time that they then stand idle for want of data.

  Args:
    batches: the source; only the thread reads it.
    place: what the thread does to each, such as sending it to the devices.
    settle: returns when the devices have finished all that was dispatched.
    waiting: a context manager around the time that is lost.
  """
  source, end = iter(batches), object()

  def fetch():
    batch = next(source, end)
    return batch if batch is end else place(batch)

  pool = concurrent.futures.ThreadPoolExecutor(1, 'prefetch')
  try:
    # A pool of one thread takes them in order.
    ahead = collections.deque(pool.submit(fetch) for _ in range(AHEAD))
    while True:
      future = ahead.popleft()
      if not future.done():
        settle()
      with waiting():
        batch = future.result()
      if batch is end:
        return
      ahead.append(pool.submit(fetch))
      yield batch
  finally:
    pool.shutdown(cancel_futures=True)
