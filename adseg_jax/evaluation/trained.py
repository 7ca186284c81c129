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

  @property
  def size(self) -> tuple[int, int] | None:
    """Height and width that it sees every picture at; None: the picture's."""
    size = self.experiment.data.size
    return size if any(size) else None
