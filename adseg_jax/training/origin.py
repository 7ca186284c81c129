"""What a segmentor starts from: a file's weights, or another run's."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from etils import epath

from adseg_jax import config
from adseg_jax.errors import UserError
from adseg_jax.evaluation.trained import Trained
from adseg_jax.method.method import make_segmentor
from adseg_jax.networks import pretrained
from adseg_jax.networks.pretrained.other_classes import adopted, places
from adseg_jax.training import restore
from adseg_jax.training.checkpoint import FOLDER
from adseg_jax.training.hashes import of_tree

# Settings of a segmentor that do not decide what it computes.
FREE = 'weights', 'recompute'


class Origin(NamedTuple):
  """Where a segmentor starts.

  `begin` puts these weights in place of a Network's own. A run keeps the
  record, with the digest of the weights as they were; words are for a person.
  """

  begin: Callable
  record: dict
  words: str


def find(
    experiment: config.Experiment, classes: tuple[str, ...], segmentor, network
) -> Origin:
  """Reads the weights that an experiment names, and changes nothing.

  The classes are those that it trains on; of the segmentor's network only the
  shapes are needed.

  Raises:
    UserError: there are none, or they do not fit.
  """
  weights = experiment.segmentor.weights
  if weights == pretrained.AUTO:
    try:
      return _of_file(pretrained.IMAGENET, segmentor, network)
    except UserError as error:
      return Origin(
          lambda network: network, {'from': 'random', 'digest': of_tree({})},
          f'Starts from random weights: {error}',
      )
  if run := _run_of(weights):
    return _of_run(weights, *run, experiment.segmentor, classes)
  return _of_file(weights, segmentor, network)


def _of_file(weights: str, segmentor, network) -> Origin:
  """Weights of a file, which may lie in a package or on a hub."""
  found = pretrained.load(weights, segmentor, network)
  return Origin(
      functools.partial(pretrained.start, pretrained=found),
      {
          'from': weights, 'new_layers': found.new,
          'digest': of_tree((found.params, found.mean)),
      },
      f'Weights of {weights}; new layers: {_listed(found.new)}',
  )


def _run_of(weights: str) -> tuple[epath.Path, str] | None:
  """(workdir, checkpoint) where a folder is named; None where it is not."""
  if pretrained.is_name(weights):
    return None
  path = epath.Path(weights).expanduser()
  if not path.exists():
    raise UserError(
        f'--segmentor.weights {weights}: no such file, and no such run: give '
        'the path of a file or the workdir of a run'
    )
  if not path.is_dir():
    return None
  if path.parent.name == FOLDER:
    return path.parent.parent, path.name
  return (path.parent if path.name == FOLDER else path), 'last'


def _of_run(weights, workdir, checkpoint, wanted, classes) -> Origin:
  """The segmentor of a run, for these classes."""
  try:
    _check(workdir, restore.describe(workdir)[0].segmentor, wanted)
    found = restore.restore(workdir, checkpoint)
    counts = classes != found.classes and places(
        found.segmentor, found.experiment.data.crop
    )
  except UserError as error:
    raise UserError(f'--segmentor.weights {error}') from error
  taken = [name for name in classes if name in found.classes]
  new = [name for name in classes if name not in found.classes]
  return Origin(
      functools.partial(_begun, found, classes, counts),
      {
          'from': weights, 'step': found.step, 'classes': taken,
          'new_classes': new, 'digest': of_tree(found.variables),
      },
      f'Segmentor of {workdir} at step {found.step}; classes taken over: '
      f'{_listed(taken)}; new ones: {_listed(new)}',
  )


def _check(workdir, theirs: config.Segmentor, ours: config.Segmentor):
  """Refuses a segmentor that computes something else."""
  for name, here in vars(ours).items():
    there = getattr(theirs, name)
    if name in FREE or there == here:
      continue
    other = dataclasses.replace(ours, **{name: there})
    # The name first: a network need not know what another is made of.
    if name == 'name' or make_segmentor(other, 1) != make_segmentor(ours, 1):
      raise UserError(
          f'{workdir}: its segmentor is another network (segmentor.{name} is '
          f'{there} there, {here} here): give its settings, or another run'
      )


def _begun(found: Trained, classes, counts, network):
  """The network with a run's variables, class by class, for its own."""
  if counts:
    pairs = [
        (number, found.classes.index(name))
        for number, name in enumerate(classes) if name in found.classes
    ]
    variables = adopted(
        {'params': network.params, **network.model_state}, found.variables,
        counts, pairs,
    )
  else:  # Copies: a step overwrites its state's memory.
    variables = jax.tree.map(jnp.array, found.variables)
  return network.replace(params=variables.pop('params'), model_state=variables)


def _listed(names) -> str:
  return ', '.join(names) or 'none'
