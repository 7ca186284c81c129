"""What does not change while training, built from the experiment."""

import dataclasses
import inspect

import flax.linen as nn

from adseg_jax.config import (
    Adversary,
    Experiment,
    Optimizer,
    Segmentor,
    Unlabelled,
)
from adseg_jax.errors import UserError
from adseg_jax.method.average import decay
from adseg_jax.networks.discriminators import DISCRIMINATORS
from adseg_jax.networks.segmentors import ENCODERS, SEGMENTORS

# Fields of config.Segmentor that a network gets which has them.
_OPTIONS = (
    'local_normalization', 'context', 'recompute', 'encoder', 'output_stride'
)


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
    accumulate: parts of a batch that are computed one after another.
    average: factor on older weights in the average of the segmentor's; 0: none
      is kept.
    unlabelled: what images without labels teach.
  """

  segmentor: nn.Module
  discriminator: nn.Module
  adversary: Adversary
  optimizer: Optimizer
  class_weights: tuple[float, ...] = ()
  precision: str = 'float32'
  accumulate: int = 1
  average: float = 0.0
  unlabelled: Unlabelled = dataclasses.field(default_factory=Unlabelled)


def make_segmentor(config: Segmentor, num_classes: int) -> nn.Module:
  """The segmentor, for a data set with that many classes.

  Raises:
    UserError: it, or its encoder, is not in its table.
  """
  make = _entry(SEGMENTORS, 'segmentor.name', config.name)
  options = {
      name: getattr(config, name) for name in _OPTIONS
      if name in inspect.signature(make).parameters
  }
  if 'encoder' in options:
    options['encoder'] = _entry(ENCODERS, 'segmentor.encoder', config.encoder)
  return make(num_classes=num_classes, width=config.width, **options)


def make_method(experiment: Experiment, num_classes: int) -> Method:
  """The method of an experiment on a data set with that many classes.

  Raises:
    UserError: a network is not in its table.
  """
  adversary = experiment.adversary
  discriminator = _entry(
      DISCRIMINATORS, 'adversary.discriminator', adversary.discriminator
  )
  return Method(
      make_segmentor(experiment.segmentor, num_classes),
      discriminator(width=adversary.width),
      adversary, experiment.optimizer, precision=experiment.precision,
      accumulate=experiment.data.accumulate,
      average=decay(experiment.segmentor.average, experiment.data.batch),
      unlabelled=experiment.unlabelled,
  )


def _entry(table, field: str, name: str):
  if name not in table:
    raise UserError(
        f'{field} {name}: the package has no such network; one of your own is '
        'known where its script is imported: in Python, import that and call '
        'adseg_jax.load(WORKDIR), as docs/extending.md shows'
    )
  return table[name]
