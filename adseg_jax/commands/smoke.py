"""Shrinks an experiment until it takes seconds: does it run from end to end?"""

import dataclasses

import jax

from adseg_jax.config import Experiment
from adseg_jax.settings import replaced

STEPS = 4
IMAGES = 8  # of each split
# A multiple of every segmentor's stride, and room for every discriminator.
CROP = 64
WIDTH = 0.05


def shrunk(arguments):
  """cli.Arguments with a shrunk experiment and the workdir WORKDIR/smoke."""
  # Compiling is most of the time.
  jax.config.update('jax_disable_most_optimizations', True)
  return dataclasses.replace(
      arguments, experiment=shrink(arguments.experiment),
      workdir=f'{arguments.workdir}/smoke',
  )


def shrink(experiment: Experiment) -> Experiment:
  """The same experiment with few steps, images and channels.

  Both networks learn in it, whatever the schedule between them; weights of
  others are not loaded, since they do not fit narrow networks.
  """
  batch = jax.device_count()
  return replaced(experiment, {
      'name': f'{experiment.name}-smoke',
      'data.batch': batch, 'data.crop': (CROP, CROP), 'data.limit': IMAGES,
      # A number, or a small share, might be all of so few, or none.
      'data.labelled': 1.0 if experiment.data.labelled == 1 else 0.5,
      'segmentor.width': WIDTH, 'segmentor.weights': '',
      'adversary.width': WIDTH, 'adversary.start': 0,
      'adversary.alternate_every': min(experiment.adversary.alternate_every, 1),
      'unlabelled.start': 0,
      'optimizer.steps': min(experiment.optimizer.steps, STEPS),
      'optimizer.segmentor.warmup': 0, 'optimizer.discriminator.warmup': 0,
      'evaluation.every': STEPS, 'evaluation.batch': batch,
      'evaluation.panels': 2, 'logging.every': 2,
      'logging.checkpoint_every': STEPS,
  })
