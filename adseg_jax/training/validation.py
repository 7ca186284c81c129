"""Settings that can't work are refused before anything is loaded."""

import dataclasses
import math

from adseg_jax.config import LESSONS, Data, Experiment
from adseg_jax.data import shares
from adseg_jax.data.balance import given_weights
from adseg_jax.data.dataset import Dataset
from adseg_jax.errors import UserError
from adseg_jax.method import unlabelled
from adseg_jax.method.method import Method, make_method
from adseg_jax.settings import flatten
from adseg_jax.training import lessons
from adseg_jax.wording import counted

# Steps and images are counted in int32.
_COUNT = 2**31 - 1
_BATCH = 2**16
# The most pixels that a JPEG file has along a side.
_SIDE = 2**16 - 1
# VGG-16's first fully connected layer has 400 MB at 1, 100 GB at 16.
_WIDTH = 16


def method_of(experiment: Experiment, dataset: Dataset, devices: int) -> Method:
  """The method of an experiment that can work, as far as its settings tell.

  Raises:
    UserError: as `validate`; a network, class or folder of images without
      labels that there is none of, or a discriminator that can't do its part.
  """
  method, data = make_method(experiment, len(dataset.classes)), experiment.data
  validate(experiment, method.segmentor.stride, devices)
  unlabelled.check(method, data.crop)
  shares.check(data, data.train or dataset.train)
  given_weights(data, dataset.classes)
  return method


def validate(experiment: Experiment, stride: int, devices: int):
  """Refuses settings that can't work.

  Args:
    experiment: the resolved experiment.
    stride: input pixels per pixel of the segmentor's output.
    devices: devices that share a batch, over all hosts.

  Raises:
    UserError: one line that names the field, its value and a value that works.
  """
  values = flatten(dataclasses.asdict(experiment))
  usual = flatten(dataclasses.asdict(Experiment()))
  for field, allowed, wanted in rules(stride, devices):
    parts = _parts(values[field])
    whole = all(type(part) is int for part in _parts(usual[field]))
    if whole and any(type(part) is not int for part in parts):
      wanted = f'whole numbers, {wanted}'
    elif all(map(_is_finite, parts)) and allowed(values[field]):
      continue
    raise UserError(f'--{field} is {" ".join(map(str, parts))}: give {wanted}')
  _check_turns(experiment)
  _check_parts(experiment.data, devices)
  lessons.check(experiment)


def _check_parts(data: Data, devices: int):
  """Refuses parts of a batch that are not equal."""
  share = data.batch // devices
  if share % data.accumulate:
    raise UserError(
        f'--data.accumulate is {data.accumulate}: give what divides the '
        f'{share} images of a device, or another --data.batch'
    )


def _check_turns(experiment: Experiment):
  """Refuses an adversary that never learns: a control by mistake."""
  adversary, steps = experiment.adversary, experiment.optimizer.steps
  # Where networks take turns, the segmentor has the first.
  first = adversary.start + adversary.alternate_every
  if adversary.weight and first >= steps:
    field = 'alternate_every' if adversary.alternate_every else 'start'
    raise UserError(
        f'--adversary.{field} is {getattr(adversary, field)}: the '
        f'discriminator would first learn in step {first + 1} of {steps}: give '
        'less, more --optimizer.steps, or --adversary.weight 0 for the control'
    )


def rules(stride: int, devices: int) -> tuple[tuple, ...]:
  """What every number of an experiment may be.

  Returns:
    (field as on the command line, function of its value, the same in words).
  """
  shared = (
      lambda x: 0 < x <= _BATCH and x % devices == 0,
      f'a positive multiple of the {counted(devices, "device")}, {_BATCH} at '
      'most',
  )
  width = (lambda x: 0 < x <= _WIDTH), f'0 < width <= {_WIDTH}'
  return (
      # A key takes 32 bits of a seed: others would repeat runs in silence.
      ('seed', *_whole(0, 2**32 - 1)),
      ('data.size', _is_size, 'a height and a width, or 0 0'),
      ('data.limit', *_whole(0)),
      ('data.fold', *_whole(0, 4)),
      ('data.held_out', lambda x: 0 < x < 1, 'a share, 0 < share < 1'),
      ('data.labelled',
       lambda x: 0 < x <= 1 or (x <= _COUNT and x > 1 and x == int(x)),
       'a share, 0 < share <= 1, or a number of images'),
      ('data.batch', *shared),
      ('data.accumulate', *_whole(1, _BATCH)),
      ('data.crop', lambda sides: all(
          0 < side <= _SIDE and side % stride == 0 for side in sides
      ), f'positive multiples of {stride}, the output stride of the segmentor'),
      ('data.scale', lambda x: 0.01 <= x[0] <= x[1] <= 100,
       '0.01 <= low <= high <= 100'),
      ('data.jitter', lambda x: 0 <= x < 1, '0 <= jitter < 1'),
      ('data.balance', *_real(1)),
      ('segmentor.width', *width),
      ('segmentor.average', *_whole(0)),
      ('segmentor.output_stride', lambda x: x in (8, 16), '8 or 16'),
      ('adversary.width', *width),
      ('adversary.tau', lambda x: 0 < x <= 1, '0 < tau <= 1'),
      ('adversary.weight', *_real(1e6)),
      ('adversary.pull', *_real(100)),
      ('adversary.start', *_whole(0)),
      ('adversary.alternate_every', *_whole(0)),
      ('adversary.smoothing', lambda x: 0 <= x < 0.5, '0 <= smoothing < 0.5'),
      ('adversary.r1', *_real(1e6)),
      ('adversary.r1_every', *_whole(1)),
      *((f'unlabelled.{name}', *_real(1e6)) for name in LESSONS),
      # Of nothing is a discriminator more than sure.
      ('unlabelled.trust', lambda x: 0 <= x < 1, '0 <= trust < 1'),
      ('unlabelled.confidence', *_real(1)),
      ('unlabelled.start', *_whole(0)),
      ('optimizer.steps', *_whole(1)),
      *_update('optimizer.segmentor'),
      *_update('optimizer.discriminator'),
      ('evaluation.every', *_whole(1)),
      ('evaluation.batch', *shared),
      ('evaluation.panels', *_whole(0)),
      ('logging.every', *_whole(1)),
      ('logging.checkpoint_every', *_whole(1)),
  )


def _update(prefix: str):
  """A finite gradient must lead to finite parameters: no factor is absurd."""
  return (
      (f'{prefix}.learning_rate', *_real(1e6)),
      (f'{prefix}.power', *_real(100)),
      (f'{prefix}.warmup', *_whole(0)),
      (f'{prefix}.momentum', lambda x: 0 <= x < 1, '0 <= momentum < 1'),
      (f'{prefix}.second_moment', lambda x: 0 <= x < 1,
       '0 <= second_moment < 1'),
      (f'{prefix}.weight_decay', *_real(1)),
      (f'{prefix}.clip', *_real(1e9)),
      (f'{prefix}.new_layers_factor', lambda x: 0 < x <= 1e6,
       '0 < factor <= 1e+06'),
  )


def _whole(least: int, most: int = _COUNT):
  return (lambda x: least <= x <= most), f'{least} to {most}'


def _real(most: float):
  return (lambda x: 0 <= x <= most), f'0 to {most:g}'


def _is_size(sides) -> bool:
  return not any(sides) or all(0 < side <= _SIDE for side in sides)


def _parts(value) -> tuple:
  return value if isinstance(value, tuple) else (value,)


def _is_finite(value) -> bool:
  return type(value) is int or math.isfinite(value)
