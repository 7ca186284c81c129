"""VGG-16 in NumPy, as PyTorch, Keras and others would compute it."""

import numpy as np

BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
# torchvision's nn.Sequential, counted by hand.
FEATURES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
PLACES = [(b, i + 1) for b, (n, _) in enumerate(BLOCKS, 1) for i in range(n)]
CLASSES = 5

KERNEL = {'torchvision': '{}.weight', 'timm': '{}.weight',
          'keras': '{}/kernel', 'npz': '{}_W'}
BIAS = {'torchvision': '{}.bias', 'timm': '{}.bias',
        'keras': '{}/bias', 'npz': '{}_b'}


def names(layout):
  """The file's names of thirteen convolutions and three dense layers."""
  return {
      'torchvision': [f'features.{i}' for i in FEATURES]
      + ['classifier.0', 'classifier.3', 'classifier.6'],
      'timm': [f'features.{i}' for i in FEATURES]
      + ['pre_logits.fc1', 'pre_logits.fc2', 'head.fc'],
      'keras': [f'block{b}_conv{i}' for b, i in PLACES]
      + ['fc1', 'fc2', 'predictions'],
      'npz': [f'conv{b}_{i}' for b, i in PLACES] + ['fc6', 'fc7', 'fc8'],
  }[layout]


def weights(layout, width=1 / 32, seed=0):
  """Random arrays of a layout, by name."""
  rng = np.random.default_rng(seed)
  sizes = [round(n * width) for count, n in BLOCKS for _ in range(count)]
  wide = round(4096 * width)
  inputs = [3, *sizes[:-1], 7 * 7 * sizes[-1], wide, wide]
  outputs = [*sizes, wide, wide, CLASSES]
  arrays = {}
  for n, (name, i, o) in enumerate(
      zip(names(layout), inputs, outputs, strict=True)
  ):
    taps = 9 if n < len(FEATURES) else 1
    shape = (3, 3, i, o) if taps == 9 else (i, o)
    kernel = rng.normal(0, (2 / (taps * i)) ** 0.5, shape)
    if layout in ('torchvision', 'timm'):
      kernel = kernel.T
    if layout == 'timm' and n in (13, 14):
      side = 7 if n == 13 else 1
      kernel = kernel.reshape(o, i // side**2, side, side)
    arrays[KERNEL[layout].format(name)] = kernel.astype(np.float32)
    arrays[BIAS[layout].format(name)] = rng.normal(0, 0.1, o).astype(
        np.float32
    )
  return arrays


def prepared(layout, image):
  """RGB in 0..1 [H,W,3] -> what these weights were trained to see."""
  if layout == 'keras':
    return 255 * image[:, :, ::-1] - np.array([103.939, 116.779, 123.68])
  if layout == 'npz':
    return 255 * image - np.array([123.68, 116.779, 103.939])
  return (image - [0.485, 0.456, 0.406]) / np.array([0.229, 0.224, 0.225])


def convolved(layout, x, kernel, bias):
  """3x3, zeros beyond the border, ReLU: [H,W,I] -> [H,W,O]."""
  windows = np.lib.stride_tricks.sliding_window_view(
      np.pad(x, ((1, 1), (1, 1), (0, 0))), (3, 3), (0, 1)
  )
  axes = 'klio' if layout in ('keras', 'npz') else 'oikl'
  rule = f'hwikl,{axes}->hwo'
  return np.maximum(np.einsum(rule, windows, kernel, optimize=True) + bias, 0)


def features(layout, arrays, image):
  """What the fifth pool gives: [H/32,W/32,512 width]."""
  x = prepared(layout, np.float64(image))
  found = iter(names(layout))
  for count, _ in BLOCKS:
    for name in (next(found) for _ in range(count)):
      x = convolved(layout, x, arrays[KERNEL[layout].format(name)],
                    arrays[BIAS[layout].format(name)])
    h, w = x.shape[0] // 2, x.shape[1] // 2
    x = x[:2 * h, :2 * w].reshape(h, 2, w, 2, -1).max((1, 3))
  return x


def scores(layout, arrays, pooled):
  """What the dense layers say of a 7x7 map: [CLASSES]."""
  by_column = layout in ('keras', 'npz')
  x = (pooled if by_column else pooled.transpose(2, 0, 1)).ravel()
  for n, name in enumerate(names(layout)[13:]):
    kernel = arrays[KERNEL[layout].format(name)]
    kernel = kernel if by_column else kernel.reshape(len(kernel), -1).T
    x = x @ kernel + arrays[BIAS[layout].format(name)]
    x = np.maximum(x, 0) if n < 2 else x
  return x
