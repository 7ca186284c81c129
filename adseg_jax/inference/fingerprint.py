"""Hashes that two people compare to see whether they ran the same run."""

import dataclasses
import hashlib
import itertools

from etils import epath

from adseg_jax import config
from adseg_jax.data import dataset as datasets
from adseg_jax.training.hashes import of_tree
from adseg_jax.training.restore import restore_parameters

# Of the data stream; every one is read and augmented again.
EXAMPLES = 1000


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
  from adseg_jax.data.unlabelled import labelled

  data = dataclasses.replace(experiment.data, batch=1)
  dataset = datasets.find(data)
  examples = labelled(
      load(dataset, data.train or dataset.train, data), experiment
  )
  digest = hashlib.sha256()
  for batch in itertools.islice(train_batches(
      examples, data, seed=experiment.seed, steps=count
  ), count):
    digest.update(batch['image'].tobytes() + batch['label'].tobytes())
  return examples.digest, digest.hexdigest()
