"""Maps of ResNets by torchvision, with random weights.

Writes resnet18.npz and resnet50.npz, for machines without PyTorch:

  pip install torch torchvision
  python tests/networks/pretrained/resnet_reference.py
"""

from pathlib import Path

import numpy as np
from lite_reference import random_array

HERE = Path(__file__).parent
NAMES = 'resnet18', 'resnet50'
CHANNELS = 16  # of each map, the first ones


def picture():
  """RGB in 0..1, [1,64,96,3]."""
  return np.random.default_rng(1).random((1, 64, 96, 3), np.float32)


def run(name):
  """What torchvision gives: names, shapes and maps [h,w,CHANNELS]."""
  import torch
  import torchvision

  model = getattr(torchvision.models, name)().eval()
  state = {
      key: tensor for key, tensor in model.state_dict().items()
      if tensor.dtype == torch.float32
  }
  model.load_state_dict({
      key: torch.from_numpy(random_array(key, tuple(tensor.shape)))
      for key, tensor in state.items()
  }, strict=False)
  maps = []
  for stage in range(1, 5):
    getattr(model, f'layer{stage}').register_forward_hook(
        lambda *call: maps.append(
            call[-1][0, :CHANNELS].permute(1, 2, 0).numpy()
        )
    )
  mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
  images = (picture() - np.float32(mean)) / np.float32(deviation)
  with torch.no_grad():
    model(torch.from_numpy(images).permute(0, 3, 1, 2))
  return {
      'names': np.array(list(state)),
      'shapes': np.array([
          ','.join(map(str, tensor.shape)) for tensor in state.values()
      ]),
  } | {f'map{i}': one for i, one in enumerate(maps)}


def reference(name):
  """What `run` gives, or gave where PyTorch is not installed."""
  try:
    import torchvision
  except ImportError:
    with np.load(HERE / f'{name}.npz') as stored:
      return dict(stored)
  del torchvision
  return run(name)


if __name__ == '__main__':
  for name in NAMES:
    np.savez_compressed(HERE / f'{name}.npz', **run(name))
