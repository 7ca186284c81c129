"""From --segmentor.weights to a network that starts with them."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

from adseg_jax.errors import UserError
from adseg_jax.networks.pretrained.readers import read
from adseg_jax.networks.pretrained.vgg16 import convert
from adseg_jax.networks.segmentors.colours import CONSTANTS

HUB = 'hf:'
HUB_FILE = 'model.safetensors'
BACKBONE = 'vgg'


class Pretrained(NamedTuple):
  """Weights that fit a network.

  Attributes:
    params: the layers that the file has, a part of the network's tree.
    mean: [3], the colour that these weights expect to be subtracted.
    new: what of the network starts from random weights.
  """

  params: dict
  mean: tuple[float, ...]
  new: list[str]


def load(weights: str, segmentor, network) -> Pretrained:
  """Reads weights and fits them to a network; changes nothing.

  Args:
    weights: path of a file, or hf:OWNER/NAME.
    segmentor: the Linen module.
    network: what has its parameters, or only their shapes, as `params`.

  Returns:
    Pretrained.

  Raises:
    UserError: one line: no such file, not VGG-16, a layer that is missing or
      of another shape, or a network that VGG-16 does not fit.
  """
  if BACKBONE not in network.params:
    raise UserError(
        f'--segmentor.weights {weights}: {type(segmentor).__name__} is not '
        'built on VGG-16: give another --segmentor.name, or no weights'
    )
  if segmentor.width != 1:
    raise UserError(
        f'--segmentor.width is {segmentor.width}: give 1, since '
        f'--segmentor.weights {weights} are those of the whole network'
    )
  return fit(locate(weights), network.params)


def fit(path: Path, params) -> Pretrained:
  """The part of `load` that does not ask for the network's width."""
  inner = params[BACKBONE]
  layers = inner | {
      name: layer for name, layer in params.items() if 'kernel' in layer
  }
  shapes = {name: layer['kernel'].shape for name, layer in layers.items()}
  found, mean = convert(read(path), shapes, path)
  tree = {name: found[name] for name in found if name not in inner}
  tree[BACKBONE] = {name: found[name] for name in inner}
  return Pretrained(tree, mean, [name for name in params if name not in tree])


def start(network, pretrained: Pretrained):
  """The network with these weights in place of its own.

  Args:
    network: training state of a network, as init_state gives it; its
      optimiser's state must not depend on the parameters' values.
    pretrained: what `load` gave for it.
  """
  # Copies: a step overwrites its state's memory, which may be a file's else.
  found = jax.tree.map(jnp.array, pretrained.params)
  backbone = {**network.params[BACKBONE], **found.pop(BACKBONE)}
  return network.replace(
      params={**network.params, **found, BACKBONE: backbone},
      model_state={
          **network.model_state,
          CONSTANTS: {BACKBONE: {'mean': jnp.asarray(pretrained.mean)}},
      },
  )


def locate(weights: str) -> Path:
  """The file that --segmentor.weights means, downloaded where need be."""
  if not weights.startswith(HUB):
    return Path(weights).expanduser()
  try:
    from huggingface_hub import hf_hub_download
  except ImportError:
    raise UserError(
        f'--segmentor.weights {weights}: needs the package huggingface-hub: '
        "pip install 'adseg_jax[hub]', or give the path of a file"
    ) from None
  try:
    return Path(hf_hub_download(weights.removeprefix(HUB), HUB_FILE))
  except Exception as error:  # The hub raises its HTTP client's kinds, too.
    raise UserError(
        f'--segmentor.weights {weights}: {HUB_FILE} cannot be fetched '
        f'({type(error).__name__}): check the name and the network, or give '
        'the path of a file'
    ) from error
