"""Which numbers the networks compute in; all else is float32."""

import jax
import jax.numpy as jnp


def compute(params, precision: str):
  """Parameters in the precision that a network computes in.

  A layer computes in the precision of its kernel, so this decides it; the
  gradient that comes back through here is float32 again.

  Args:
    params: float32.
    precision: 'float32' or 'bfloat16'.
  """
  return jax.tree.map(lambda p: p.astype(precision), params)


def finish(logits):
  """Logits as the losses take them: float32."""
  return logits.astype(jnp.float32)
