"""Hashes of trees of arrays, which people and later starts compare."""

import hashlib

import jax
import numpy as np


def of_tree(tree) -> str:
  """SHA-256 over names, types, shapes and bits of a tree's leaves."""
  digest = hashlib.sha256()
  leaves = jax.tree_util.tree_leaves_with_path(tree)
  for path, leaf in sorted(leaves, key=lambda pair: str(pair[0])):
    array = np.ascontiguousarray(leaf)
    digest.update(f'{path} {array.dtype} {array.shape} '.encode())
    digest.update(array.tobytes())
  return digest.hexdigest()
