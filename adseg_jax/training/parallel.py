"""Many devices, on one host or on many: the only file that knows pmap.

The state has no leading device axis: it goes in and comes out replicated over
the devices of this host. Only what a step reduced over devices may come out;
everything in the new state and the metrics is such a sum. Every host runs the
same program on its part of each batch.
"""

import functools
import hashlib

import jax
import numpy as np
from jax.experimental import multihost_utils

from adseg_jax.errors import UserError
from adseg_jax.method.step import train_step
from adseg_jax.method.turns import turns

AXIS = 'batch'


def make_train_step(method, devices=None):
  """train_step over devices: (state, batch, turn=None) -> (state, metrics).

  It consumes the state (its buffers are donated); the batch has a leading
  device axis, as `shard` gives it. Each turn is a program, compiled when it
  first comes. Without a turn the state's step is read, which waits for the
  step before.

  Args:
    method: static.
    devices: some of the local devices; None takes all of all hosts.
  """
  program = functools.cache(
      functools.partial(make_program, method, devices=devices)
  )

  def step(state, batch, turn=None):
    if turn is None:
      turn = turns(state.step, method.adversary)
    return program(turn)(state, batch)

  return step


def make_program(method, turn, devices=None):
  """The compiled function of a turn; arguments are make_train_step's."""
  return jax.pmap(
      functools.partial(
          train_step, method=method, turn=turn, axis_name=AXIS
      ), axis_name=AXIS, in_axes=(None, 0), out_axes=(None, None),
      donate_argnums=0, devices=devices,
  )


def shard(batch, count: int):
  """Host arrays [B,...] -> [count,B/count,...], in the same order."""
  return jax.tree.map(
      lambda x: np.reshape(x, (count, x.shape[0] // count, *x.shape[1:])),
      batch,
  )


def send(batch, devices=None):
  """Host arrays [B,...] -> [D,B/D,...] on the local devices.

  It returns at once, while the transfer goes on; the training step takes what
  it returns without another copy.
  """
  devices = jax.local_devices() if devices is None else devices
  return jax.device_put(shard(batch, len(devices)), _over(devices, AXIS))


def place(state, devices=None):
  """The state on every device of this host: donating it needs it there."""
  devices = jax.local_devices() if devices is None else devices
  return jax.device_put(state, _over(devices))


def _over(devices, *axes):
  """Arrays cut over devices along AXIS; without it, whole on each of them."""
  mesh = jax.sharding.Mesh(np.asarray(devices), (AXIS,))
  return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))


def across_hosts(state):
  """The same state as one array over all hosts, as checkpoints need it."""
  if jax.process_count() == 1:
    return state
  everywhere = _over(jax.devices())
  return _map_data(
      lambda x: jax.make_array_from_single_device_arrays(
          x.shape, everywhere, [shard.data for shard in x.addressable_shards]
      ), state,
  )


def on_this_host(state):
  """What `across_hosts` was given."""
  if jax.process_count() == 1:
    return state
  return place(_map_data(lambda x: np.asarray(x.addressable_data(0)), state))


def _map_data(function, tree):
  """Maps over arrays, for PRNG keys over what they hold."""
  return jax.tree.map(lambda leaf: (
      jax.random.wrap_key_data(function(jax.random.key_data(leaf)))
      if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
      else function(leaf)
  ), tree)


def is_main() -> bool:
  """Whether this process writes: one does, on the first host."""
  return jax.process_index() == 0


def sum_over_hosts(array: np.ndarray) -> np.ndarray:
  """Sum of the arrays of all hosts, int64 kept; on every host."""
  if jax.process_count() == 1:
    return array
  # Without 64-bit arithmetic on devices, bytes carry 64-bit counts.
  parts = multihost_utils.process_allgather(array.view(np.uint8))
  return np.asarray(parts).view(array.dtype).sum(0)


def dissenters(text: str) -> list[int]:
  """Hosts whose text is not the first one's; the same list on every host."""
  if jax.process_count() == 1:
    return []
  mine = hashlib.sha256(text.encode()).digest()
  found = np.asarray(multihost_utils.process_allgather(
      np.frombuffer(mine, np.uint8)
  ))
  return [host for host, one in enumerate(found) if (one != found[0]).any()]


def on_main(function):
  """Runs it on the main process; the others wait, and fail as it fails.

  Raises:
    UserError: what the function raised, on every host.
  """
  message = ''
  if is_main():
    try:
      function()
    except UserError as error:
      message = str(error)
  if jax.process_count() > 1:
    room = np.zeros(4096, np.uint8)
    encoded = message.encode()[:len(room)]
    room[:len(encoded)] = list(encoded)
    room = np.asarray(multihost_utils.broadcast_one_to_all(room))
    message = bytes(room).rstrip(b'\0').decode(errors='replace')
  if message:
    raise UserError(message)
