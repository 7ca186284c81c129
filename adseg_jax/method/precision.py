"""Which numbers the networks compute in; all else is float32."""

import jax


def cast(tree, precision: str):
  """Floating-point arrays in another precision.

  A layer computes in the precision of its kernel, so casting the parameters
  decides it; their gradient comes back in float32 again.
  """
  return jax.tree.map(lambda x: x.astype(precision), tree)
