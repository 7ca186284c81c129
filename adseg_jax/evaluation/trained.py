"""A segmentor that pictures can be shown to."""

from typing import NamedTuple

import flax.linen as nn

from adseg_jax import config


class Trained(NamedTuple):
  """A segmentor and what its labels mean.

  Attributes:
    experiment: what was trained.
    classes: name of each class; the index is the label.
    palette: red, green and blue of each class, 0 to 255.
    segmentor: Linen module.
    variables: its variables.
    step: the step that they are of.
    average: whether they are a moving average of those until then.
  """

  experiment: config.Experiment
  classes: tuple[str, ...]
  palette: tuple[tuple[int, int, int], ...]
  segmentor: nn.Module
  variables: dict
  step: int
  average: bool = False
