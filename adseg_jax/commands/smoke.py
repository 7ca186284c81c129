"""Shrinks an experiment until it takes seconds: does it run from end to end?"""

import dataclasses

import jax

from adseg_jax.config import Experiment

STEPS = 4
IMAGES = 8  # of each split
# A multiple of every segmentor's stride, and room for every discriminator.
CROP = 64
WIDTH = 0.05


def shrunk(arguments):
  """The arguments of an experiment script, for a smoke test.

  Args:
    arguments: cli.Arguments.

  Returns:
    The same with a shrunk experiment and the workdir WORKDIR/smoke.
  """
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
  replace, batch = dataclasses.replace, jax.device_count()
  data, adversary = experiment.data, experiment.adversary
  optimizer = experiment.optimizer
  return replace(
      experiment, name=f'{experiment.name}-smoke',
      data=replace(
          data, batch=batch, crop=(CROP, CROP), limit=IMAGES,
          # A number, or a small share, might be all of so few, or none.
          labelled=1.0 if data.labelled == 1 else 0.5,
      ),
      segmentor=replace(experiment.segmentor, width=WIDTH, weights=''),
      adversary=replace(
          adversary, width=WIDTH, start=0,
          alternate_every=min(adversary.alternate_every, 1),
      ),
      unlabelled=replace(experiment.unlabelled, start=0),
      optimizer=replace(
          optimizer, steps=min(optimizer.steps, STEPS),
          segmentor=replace(optimizer.segmentor, warmup=0),
          discriminator=replace(optimizer.discriminator, warmup=0),
      ),
      evaluation=replace(
          experiment.evaluation, every=STEPS, batch=batch, panels=2
      ),
      logging=replace(experiment.logging, every=2, checkpoint_every=STEPS),
  )
