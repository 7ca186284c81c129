"""Hashes that two people compare to see whether they ran the same run."""

import dataclasses
import hashlib
import itertools

import jax
import numpy as np
from etils import epath

from adseg_jax import config
from adseg_jax.data import dataset as datasets
from adseg_jax.errors import UserError
from adseg_jax.training.checkpoint import Checkpoints, has_begun
from adseg_jax.training.method import make_method
from adseg_jax.training.state import initialize

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


def of_parameters(workdir: epath.Path, experiment: config.Experiment):
  """(step, hash of both networks' parameters) of the newest checkpoint.

  Raises:
    UserError: there is none, or it can't be read.
  """
  if not has_begun(workdir):
    raise UserError(f'{workdir}: holds no checkpoint yet: train the run first')
  classes = datasets.find(experiment.data).classes
  state = initialize(
      jax.random.key(0), make_method(experiment, len(classes)),
      experiment.data.crop,
  )
  with Checkpoints(workdir, experiment) as checkpoints:
    state, *_ = checkpoints.restore(state)
  networks = {
      name: getattr(state, name).params
      for name in ('segmentor', 'discriminator')
  }
  return int(state.step), of_tree(jax.device_get(networks))


def of_stream(experiment: config.Experiment, count: int = EXAMPLES) -> str:
  """Hash of the first `count` examples as training sees them.

  It does not depend on the batch: the stream is the same one by one.
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
  return digest.hexdigest()
