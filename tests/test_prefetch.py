import contextlib
import threading
import time

import jax
import numpy as np
import pytest
from miniature import make_batch, make_method, make_state, same

from adseg_jax.errors import UserError
from adseg_jax.prefetch import AHEAD, prefetch
from adseg_jax.training import parallel
from adseg_jax.training.clock import Clock


def ahead(batches, place=lambda batch: batch, settle=lambda: None,
          waiting=contextlib.nullcontext):
  return contextlib.closing(
      prefetch(batches, place, settle=settle, waiting=waiting)
  )


def threads():
  return [t for t in threading.enumerate() if t.name.startswith('prefetch')]


def slow(count, seconds):
  for index in range(count):
    time.sleep(seconds)
    yield index


def test_every_batch_comes_placed_and_in_order():
  for count in (0, 1, 2, 3, 50):
    with ahead(range(count), lambda batch: -batch) as stream:
      assert list(stream) == [-index for index in range(count)]
    assert not threads()


def test_no_more_than_two_batches_are_ahead():
  read = []
  source = (read.append(index) or index for index in range(20))
  with ahead(source) as stream:
    for batch in stream:
      time.sleep(0.01)  # time enough to read all
      assert len(read) <= batch + 1 + AHEAD
  assert read == list(range(20))


def test_source_and_step_take_the_longer_of_their_times_and_not_the_sum():
  begun = time.monotonic()
  with ahead(slow(10, 0.1)) as stream:
    for _ in stream:
      time.sleep(0.1)
  # 1.1 s where they run at once, 2 s where they take turns.
  assert time.monotonic() - begun < 1.6


def test_an_error_comes_after_all_batches_before_it():
  def source():
    yield from range(5)
    raise UserError('example 7 cannot be decoded')

  seen = []
  with pytest.raises(UserError, match='example 7'), ahead(source()) as stream:
    for batch in stream:
      time.sleep(0.01)
      seen.append(batch)
  assert seen == list(range(5))
  assert not threads()


def test_an_error_of_placing_is_not_lost():
  def place(batch):
    return 1 // (3 - batch)

  with pytest.raises(ZeroDivisionError), ahead(range(9), place) as stream:
    assert [next(stream) for _ in range(3)] == [0, 0, 1]
    next(stream)


def test_left_early_the_thread_ends_and_the_source_is_read_no_further():
  read = []
  source = (read.append(index) or index for index in range(1000))
  with ahead(source) as stream:
    next(stream)
  assert len(read) <= 1 + AHEAD
  assert not threads()


def test_time_counts_as_waiting_only_when_the_devices_have_finished():
  """The source takes 50 ms a batch, the devices 200 ms of all of them."""
  clock, settled = Clock(1), []

  def settle():
    if not settled:
      time.sleep(0.2)  # the devices run what they have
    settled.append(1)

  begun = time.monotonic()
  with ahead(slow(10, 0.05), settle=settle, waiting=clock.waiting) as stream:
    for _ in stream:
      clock.step()
  total = time.monotonic() - begun
  waited = clock.lap()['waiting'] * total
  # Of at least 0.5 s in all the first 0.2 s are no waiting for data.
  assert settled and 0.1 < waited < total - 0.19


def test_a_quick_source_is_not_waited_for():
  clock = Clock(1)
  with ahead(range(10), waiting=clock.waiting) as stream:
    for _ in stream:
      clock.step()
      time.sleep(0.03)
  assert clock.lap()['waiting'] < 0.2


@pytest.mark.parametrize('count', [1, 4])
def test_a_batch_that_was_sent_is_the_one_of_shard(count):
  devices = jax.local_devices()[:count]
  batch = make_batch(0, 8)
  sent = parallel.send(batch, devices)
  for name, array in parallel.shard(batch, count).items():
    np.testing.assert_array_equal(sent[name], array)
    assert sent[name].dtype == array.dtype
    assert sent[name].sharding.device_set == set(devices)
    assert sent[name].addressable_shards[0].data.shape[0] == 1


def test_the_step_takes_what_was_sent_as_it_takes_host_arrays():
  """Same bits, and nothing is moved once more."""
  devices = jax.local_devices()[:2]
  method = make_method(weight=0.0)
  step = parallel.make_train_step(method, devices)
  ends = []
  for send in parallel.send, lambda batch, _: parallel.shard(batch, 2):
    state = parallel.place(make_state(method), devices)
    for seed in range(3):
      batch = send(make_batch(seed), devices)
      with jax.transfer_guard(
          'disallow' if send is parallel.send else 'allow'
      ):
        state, _ = step(state, batch)
    ends.append(jax.device_get((state.segmentor, state.discriminator)))
  assert same(*ends)
