"""What does not change while training, built from the experiment."""

import dataclasses

import flax.linen as nn

from adseg_jax.config import Adversary, Experiment, Optimizer
from adseg_jax.networks.discriminators import DISCRIMINATORS
from adseg_jax.networks.segmentors import SEGMENTORS


@dataclasses.dataclass(frozen=True)
class Method:
  """Static argument of the train step: hashable, equal by value.

  Attributes:
    segmentor: Linen module with `num_classes` and `stride`.
    discriminator: Linen module.
    adversary: encoding, objective, lambda and the schedule between networks.
    optimizer: both optimisers and the length of the run.
    class_weights: factor of each class in the cross-entropy; none: all 1.
    precision: what the networks compute in, 'float32' or 'bfloat16'.
  """

  segmentor: nn.Module
  discriminator: nn.Module
  adversary: Adversary
  optimizer: Optimizer
  class_weights: tuple[float, ...] = ()
  precision: str = 'float32'


def make_method(experiment: Experiment, num_classes: int) -> Method:
  """The method of an experiment on a data set with that many classes."""
  config = experiment.segmentor
  options = {'num_classes': num_classes, 'width': config.width}
  if config.name == 'multiscale':
    options['local_normalization'] = config.local_normalization
  if config.name == 'dilated8':
    options['context'] = config.context
    options['recompute'] = config.recompute
  return Method(
      SEGMENTORS[config.name](**options),
      DISCRIMINATORS[experiment.adversary.discriminator](
          width=experiment.adversary.width
      ),
      experiment.adversary,
      experiment.optimizer,
      precision=experiment.precision,
  )
