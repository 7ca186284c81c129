"""Hashes that two people compare to see whether they ran the same run."""

import dataclasses
import hashlib
import itertools

import jax
import numpy as np
from etils import epath

from adseg_jax import config
from adseg_jax.data import dataset as datasets
from adseg_jax.inference.restore import restore_parameters

# Of the data stream; every one is read and augmented again.
EXAMPLES = 1000


def of_tree(tree) -> str:
  """SHA-256 over names, types, shapes and bits of a tree's leaves."""
  digest = hashlib.sha256()
  leaves = jax.tree_util.tree_leaves_with_path(tree)
  for path, leaf in sorted(leaves, key=lambda pair: str(pair[0])):
    array = np.ascontiguousarray(leaf)
    digest.update(f'{path} {array.dtype} {array.shape} '.encode())
    digest.update(array.tobytes())
  return digest.hexdigest()


def of_parameters(workdir: epath.PathLike, checkpoint: str = 'last'):
  """(step, hash of both networks' parameters) of a checkpoint.

  Arguments and errors are those of `restore`; nothing is written.
  """
  step, networks = restore_parameters(workdir, checkpoint)
  return step, of_tree(networks)


def of_data(
    experiment: config.Experiment, count: int = EXAMPLES
) -> tuple[str, str]:
  """Hashes of the training split, and of its stream.

  The first is `Examples.digest`. The second is of the first `count` examples
  as training sees them; it does not depend on the batch: the stream is the
  same one by one.
  """
  from adseg_jax.data.examples import load
  from adseg_jax.data.pipeline import train_batches

  data = dataclasses.replace(experiment.data, batch=1)
  dataset = datasets.find(data)
  examples = load(dataset, data.train or dataset.train, data)
  digest = hashlib.sha256()
  for batch in itertools.islice(train_batches(
      examples, data, seed=experiment.seed, steps=count
  ), count):
    digest.update(batch['image'].tobytes() + batch['label'].tobytes())
  return examples.digest, digest.hexdigest()
