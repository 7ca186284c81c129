"""Trained networks, read from their workdir without what only training needs.

Nothing is written, so a run that still trains can be read.
"""

import contextlib
import functools
import json
import logging
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from adseg_jax import settings
from adseg_jax.errors import UserError
from adseg_jax.evaluation.trained import Trained
from adseg_jax.method.method import make_method, make_segmentor
from adseg_jax.method.state import initialize
from adseg_jax.training.checkpoint import (
  FOLDER,
  MEASURE,
  directory_of,
  scores_of,
)
from adseg_jax.training.run import NAME


def describe(workdir: epath.PathLike):
  """(experiment, classes, palette) of a workdir.

  Raises:
    UserError: it is no workdir of a run, or can't be read.
  """
  path = epath.Path(workdir) / NAME
  try:
    content = json.loads(path.read_text())
    dataset = content['dataset']
    return (
        settings.from_dict(content['experiment']), tuple(dataset['classes']),
        tuple(map(tuple, dataset['palette'])),
    )
  except (FileNotFoundError, NotADirectoryError):
    raise UserError(
        f'{workdir}: no {NAME} here: give the workdir of a trained run'
    ) from None
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise UserError(
        f'{path}: cannot be read ({type(error).__name__}): train the run again'
    ) from error


def restore(
    workdir: epath.PathLike, checkpoint: str = 'last', average: bool = False
) -> Trained:
  """The segmentor of a checkpoint: 'last', 'best' (by mean IoU) or a step.

  With `average`, the moving average of the weights instead of the weights.

  Raises:
    UserError: there is no such checkpoint, or it can't be read, or the run
      kept no average.
  """
  experiment, classes, palette = describe(workdir)
  if average and not experiment.segmentor.average:
    raise UserError(
        f'{workdir}: its run kept no average of the weights: leave --average '
        'out, or train with --segmentor.average'
    )
  # Alone: a discriminator of one's own need not be known here.
  segmentor = make_segmentor(experiment.segmentor, len(classes))
  variables = dict(jax.eval_shape(
      functools.partial(segmentor.init, train=False), jax.random.key(0),
      jnp.zeros((1, *experiment.data.crop, 3)),
  ))
  step, found = _variables(workdir, checkpoint, variables, average)
  return Trained(
      experiment, classes, palette, segmentor, found, step, average
  )


def _variables(workdir, checkpoint: str, shapes: dict, average: bool):
  """(step, variables of these shapes) of the segmentor or of its average."""
  state = {name: x for name, x in shapes.items() if name != 'params'}
  wanted = {'average': shapes} if average else {
      'params': shapes['params'], **({'model_state': state} if state else {}),
  }
  step, found = _restore(workdir, checkpoint, {'segmentor': wanted})
  found = found['segmentor']
  return step, found['average'] if average else {
      'params': found['params'], **found.get('model_state', {})
  }


def restore_parameters(workdir: epath.PathLike, checkpoint: str = 'last'):
  """(step, {'segmentor': its parameters, 'discriminator': its parameters}).

  Arguments and errors are those of `restore`; leaves are NumPy arrays.
  """
  experiment, classes, _ = describe(workdir)
  shapes = initialize.eval_shape(
      jax.random.key(0), make_method(experiment, len(classes)),
      experiment.data.crop,
  )
  step, found = _restore(workdir, checkpoint, {
      name: {'params': getattr(shapes, name).params}
      for name in ('segmentor', 'discriminator')
  })
  return step, {name: network['params'] for name, network in found.items()}


def _restore(workdir, checkpoint: str, wanted: dict):
  """(step, NumPy arrays for the shapes that are wanted of its state)."""
  directory = directory_of(workdir)
  if not directory.exists():
    raise UserError(f'{workdir}: no {FOLDER}/ here: train the run first')
  logging.getLogger('absl').setLevel(logging.ERROR)
  try:
    step = _step(directory, checkpoint, workdir)
    return step, _read(directory / str(step) / 'state', wanted)
  except UserError:
    raise
  except Exception as error:  # Orbax raises many kinds for a broken file.
    raise UserError(
        f'{directory}: checkpoint {checkpoint} cannot be read '
        f'({type(error).__name__}): give another one'
    ) from error


def _step(directory, checkpoint: str, workdir) -> int:
  steps = sorted(ocp.utils.checkpoint_steps(directory))
  if not steps:
    raise UserError(f'{workdir}: holds no checkpoint yet: train the run first')
  if checkpoint == 'last':
    return steps[-1]
  scored = _scored(directory, steps)
  if checkpoint == 'best' and scored:
    return max(scored, key=scored.get)
  if checkpoint.isdigit() and int(checkpoint) in steps:
    return int(checkpoint)
  raise UserError(
      f'--checkpoint {checkpoint}: not in {workdir}; give last, '
      f'{"best, " * bool(scored)}or one of the steps '
      f'{", ".join(map(str, steps))}'
  )


def _scored(directory, steps) -> dict[int, float]:
  """Step -> score; a checkpoint whose scores are damaged has none."""
  # Orbax's manager reads all when it opens, and fails on one.
  scored = {}
  for step in steps:
    with contextlib.suppress(ValueError, FileNotFoundError):
      if metrics := json.loads(scores_of(directory / str(step)).read_text()):
        scored[step] = metrics[MEASURE]
  return scored


def _read(path, wanted: dict) -> dict:
  """The part of a saved state that is wanted, as NumPy arrays."""
  # NumPy arrays restore on any machine, whatever devices it was trained on.
  how = jax.tree.map(
      lambda leaf: ocp.RestoreArgs(restore_type=np.ndarray, dtype=leaf.dtype),
      wanted,
  )
  with (
      warnings.catch_warnings(action='ignore'),
      ocp.PyTreeCheckpointer() as checkpointer,
  ):
    found = checkpointer.restore(path, args=ocp.args.PyTreeRestore(
        item=wanted, restore_args=how, partial_restore=True
    ))
  if jax.tree.map(np.shape, found) != jax.tree.map(np.shape, wanted):
    raise ValueError('shapes differ')
  return found
