"""A segmentor that pictures can be shown to."""

from typing import NamedTuple

import flax.linen as nn

from adseg_jax import config


class Trained(NamedTuple):
  """A segmentor and what its labels mean: classes and their colours.

  The index of a class is the label; its variables are of a step, or their
  moving average until then.
  """

  experiment: config.Experiment
  classes: tuple[str, ...]
  palette: tuple[tuple[int, int, int], ...]
  segmentor: nn.Module
  variables: dict
  step: int
  average: bool = False
