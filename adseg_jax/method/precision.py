"""Which numbers the networks compute in; all else is float32."""

import jax


def cast(tree, precision: str):
  """Floating-point arrays in another precision.

  A layer computes in the precision of its kernel, so casting the parameters
  decides it; their gradient comes back in float32 again.

  Args:
    tree: arrays, such as float32 parameters or a network's logits.
    precision: 'float32' or 'bfloat16'.
  """
  return jax.tree.map(lambda x: x.astype(precision), tree)
