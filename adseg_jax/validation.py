"""Settings that can't work are refused before anything is loaded."""

import dataclasses

from adseg_jax.config import Adversary, Data, Experiment, Update, flatten
from adseg_jax.errors import UserError

# Field, and the least whole number that it may be.
_LEAST = (
    ('data.limit', 0), ('optimizer.steps', 1), ('evaluation.every', 1),
    ('evaluation.panels', 0), ('logging.every', 1),
    ('logging.checkpoint_every', 1), ('adversary.start', 0),
    ('adversary.alternate_every', 0),
)


def validate(experiment: Experiment, stride: int, devices: int):
  """Refuses settings that can't work.

  Args:
    experiment: the resolved experiment.
    stride: input pixels per pixel of the segmentor's output.
    devices: devices that share a batch, over all hosts.

  Raises:
    UserError: one line that names the field, its value and a value that works.
  """
  # A key takes 32 bits of a seed: others would repeat runs in silence.
  _check(
      0 <= experiment.seed < 2**32, 'seed', experiment.seed, '0 to 4294967295'
  )
  values = flatten(dataclasses.asdict(experiment))
  for field in 'data.batch', 'evaluation.batch':
    _check(
        values[field] > 0 and values[field] % devices == 0, field,
        values[field], f'a positive multiple of the {devices} devices',
    )
  _check_data(experiment.data, stride, experiment.segmentor.name)
  _check_adversary(experiment.adversary)
  _check_update('segmentor', experiment.optimizer.segmentor)
  _check_update('discriminator', experiment.optimizer.discriminator)
  for field, least in _LEAST:
    _check(values[field] >= least, field, values[field], f'{least} or more')


def _check(condition: bool, field: str, value, wanted: str):
  if not condition:
    raise UserError(f'--{field} is {value}: give {wanted}')


def _check_data(data: Data, stride: int, segmentor: str):
  _check(
      all(side > 0 and side % stride == 0 for side in data.crop), 'data.crop',
      ' '.join(map(str, data.crop)),
      f'positive multiples of {stride}, the output stride of {segmentor}',
  )
  low, high = data.scale
  _check(0 < low <= high, 'data.scale', f'{low} {high}', '0 < low <= high')
  _check(0 <= data.jitter < 1, 'data.jitter', data.jitter, '0 <= jitter < 1')
  _check(0 <= data.balance <= 1, 'data.balance', data.balance, '0 to 1')
  _check(
      all(side > 0 for side in data.size) or data.size == (0, 0), 'data.size',
      ' '.join(map(str, data.size)), 'a height and a width, or 0 0',
  )


def _check_adversary(adversary: Adversary):
  _check(0 < adversary.tau <= 1, 'adversary.tau', adversary.tau, '0 < tau <= 1')
  _check(
      adversary.weight >= 0, 'adversary.weight', adversary.weight, '0 or more'
  )


def _check_update(name: str, update: Update):
  """A finite gradient must lead to finite parameters: no factor is absurd."""
  for field, most in (
      ('learning_rate', 1e6), ('weight_decay', 1), ('new_layers_factor', 1e6),
  ):
    value = getattr(update, field)
    _check(
        0 <= value <= most, f'optimizer.{name}.{field}', value,
        f'0 to {most:g}',
    )
  for field in 'momentum', 'second_moment':
    value = getattr(update, field)
    _check(
        0 <= value < 1, f'optimizer.{name}.{field}', value,
        f'0 <= {field} < 1',
    )
