"""Many devices: the only file that knows pmap.

The state has no leading device axis: it goes in and comes out replicated.
Only what a step reduced over devices may come out; everything in the new
state and the metrics is such a sum.
"""

import functools

import jax
import numpy as np

from adseg_jax.training.step import eval_step, train_step

AXIS = 'batch'


def make_train_step(method, devices=None):
  """train_step over local devices: (state, batch) -> (state, metrics).

  Args:
    method: static.
    devices: local devices; None takes all of them.

  Returns:
    A compiled function. It consumes the state (its buffers are donated); the
    batch has a leading device axis, as `shard` gives it.
  """
  return jax.pmap(
      functools.partial(train_step, method=method, axis_name=AXIS),
      axis_name=AXIS, in_axes=(None, 0), out_axes=(None, None),
      donate_argnums=0, devices=devices,
  )


def make_eval_step(method, devices=None):
  """eval_step over local devices: (state, images [D,b,H,W,3]) -> [D,b,H,W]."""
  return jax.pmap(
      functools.partial(eval_step, method=method), in_axes=(None, 0),
      devices=devices,
  )


def shard(batch, count: int):
  """Host arrays [B,...] -> [count,B/count,...], in the same order."""
  return jax.tree.map(
      lambda x: np.reshape(x, (count, x.shape[0] // count, *x.shape[1:])),
      batch,
  )


def gather(outputs) -> np.ndarray:
  """Per-device outputs [D,b,...] -> one host array [D b,...]."""
  outputs = np.asarray(outputs)
  return outputs.reshape(-1, *outputs.shape[2:])


def place(state, devices=None):
  """The state on every device: donating it needs it there first."""
  devices = jax.local_devices() if devices is None else devices
  mesh = jax.sharding.Mesh(np.asarray(devices), (AXIS,))
  replicated = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
  return jax.device_put(state, replicated)
