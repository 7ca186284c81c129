"""A batch in parts, one after another: its gradients in less memory."""

import jax
import jax.numpy as jnp

from adseg_jax.method.state import with_key
from adseg_jax.networks.segmentors import downsample_labels


def in_parts(gradients, state, batch, method, turn, axis_name):
  """What `gradients` gives of a batch, as the sum of what it gives of parts.

  Each is a share of the same means, so the sum is the whole's. What is random
  is drawn for each part anew, and statistics of the segmentor's model state are
  means over those of the parts. Other arguments are those of `gradients`.
  """
  count = method.accumulate
  if count == 1:
    return gradients(state, batch, method, turn, axis_name)
  whole = {
      f'whole_{name}': downsample_labels(x, method.segmentor.stride)
      for name, x in batch.items() if name.endswith('label')
  }
  size, found = len(batch['label']) // count, None
  for index in range(count):
    part = {
        name: x[index * size:(index + 1) * size] for name, x in batch.items()
    }
    own = with_key(with_key(state, 4), index)
    one = gradients(own, part | whole, method, turn, axis_name)
    found = one if found is None else jax.tree.map(jnp.add, found, one)
    # A part waits for the one before: all at once, nothing would be saved.
    found, batch = jax.lax.optimization_barrier((found, batch))
  return found
