"""Maps and logits of EfficientNet-Lite by the package that its weights are for.

Writes lite0.npz and lite2.npz, for machines without PyTorch:

  pip install torch efficientnet-lite-pytorch
  python tests/networks/pretrained/lite_reference.py
"""

import zlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SIZE = 64, 96
# Blocks whose outputs are the maps of strides 4, 8, 16 and 32.
LAST = {0: (2, 4, 10, 15), 1: (3, 6, 14, 20), 2: (3, 6, 14, 20)}
STORED = 0, 2


def random_array(name, shape):
  """Of about the size that trained ones have; the same everywhere."""
  rng = np.random.default_rng(zlib.crc32(name.encode()))
  if len(shape) == 1 and name.endswith('running_var'):
    return rng.uniform(0.5, 1.5, shape).astype(np.float32)
  if len(shape) == 1 and name.endswith('weight'):
    # Larger ones would have rounding grow from block to block.
    return rng.uniform(0.3, 0.9, shape).astype(np.float32)
  if len(shape) == 1:
    return rng.normal(0, 0.1, shape).astype(np.float32)
  fan_in = np.prod(shape[1:])
  return rng.normal(0, (2 / fan_in) ** 0.5, shape).astype(np.float32)


def picture():
  """RGB in 0..1, [1,*SIZE,3]."""
  return np.random.default_rng(1).random((1, *SIZE, 3), np.float32)


def run(number):
  """What the package gives: names, shapes, maps [h,w,c] and logits [1000]."""
  import torch
  from efficientnet_lite_pytorch import EfficientNet

  # Without a size, it pads by the size that it sees.
  model = EfficientNet.from_name(
      f'efficientnet-lite{number}', image_size=None
  ).eval()
  state = {
      name: tensor for name, tensor in model.state_dict().items()
      if tensor.dtype == torch.float32
  }
  model.load_state_dict({
      name: torch.from_numpy(random_array(name, tuple(tensor.shape)))
      for name, tensor in state.items()
  }, strict=False)
  maps = []
  for index in LAST[number]:
    model._blocks[index].register_forward_hook(
        lambda *call: maps.append(call[-1][0].permute(1, 2, 0).numpy())
    )
  images = torch.from_numpy((picture() * 255 - 127) / 128).permute(0, 3, 1, 2)
  with torch.no_grad():
    logits = model(images)[0].numpy()
  return {
      'names': np.array(list(state)),
      'shapes': np.array([
          ','.join(map(str, tensor.shape)) for tensor in state.values()
      ]),
      'logits': logits,
  } | {f'map{i}': one for i, one in enumerate(maps)}


def reference(number):
  """What `run` gives, or gave; None where neither can be had."""
  try:
    import efficientnet_lite_pytorch
    import torch
  except ImportError:
    if number not in STORED:
      return None
    with np.load(HERE / f'lite{number}.npz') as stored:
      return dict(stored)
  del efficientnet_lite_pytorch, torch
  return run(number)


if __name__ == '__main__':
  for number in STORED:
    np.savez_compressed(HERE / f'lite{number}.npz', **run(number))
