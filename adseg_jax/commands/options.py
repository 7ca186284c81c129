"""Options that several commands have."""

import dataclasses
import re
from typing import Annotated

import tyro

from adseg_jax import environment
from adseg_jax.config import Experiment
from adseg_jax.errors import UserError
from adseg_jax.settings import replaced


@dataclasses.dataclass(frozen=True)
class Weights:
  """Which weights of a run."""

  checkpoint: str = 'last'
  """last (which the run's own scores are of), best (by validation mean IoU),
  or a step."""
  average: bool = False
  """Take the moving average of the weights, of a run that kept one
  (--segmentor.average)."""

  def restore(self, workdir: str):
    """The `Trained` segmentor that has them.

    Raises:
      UserError: the workdir can't be read, or has no such weights.
    """
    with environment.importing():  # slow: not before the arguments are read
      from adseg_jax.training.restore import restore

    return restore(workdir, self.checkpoint, self.average)


@dataclasses.dataclass(frozen=True)
class Places:
  """Where a run's data lie now."""

  root: Annotated[str, tyro.conf.arg(name='data.root')] = ''
  """Folder of the original files; empty: where the run had them."""
  prepared: Annotated[str, tyro.conf.arg(name='data.prepared')] = ''
  """Folder of the prepared data set; empty: where the run had it."""

  def found(self, experiment: Experiment) -> Experiment:
    """The run's experiment, with these places."""
    return replaced(experiment, {
        f'data.{name}': place for name in ('root', 'prepared')
        if (place := getattr(self, name))
    })


def window_of(sliding: str) -> tuple[int, int] | None:
  """'480x640' as (480, 640); '' as None.

  Raises:
    UserError: it is neither.
  """
  if not sliding:
    return None
  if not re.fullmatch(r'0*[1-9]\d*x0*[1-9]\d*', sliding):
    raise UserError(
        f'--sliding is {sliding}: give HEIGHTxWIDTH in pixels, such as 480x480'
    )
  return tuple(map(int, sliding.split('x')))
