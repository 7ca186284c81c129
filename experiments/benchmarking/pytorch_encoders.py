"""Encoders in PyTorch, their batch norms folded as in JAX.

Each is made for the stride of its last map, at most; beyond that, stages are
dilated. `depths` are the channels of its maps.
"""

import torch
import torch.nn.functional as F
from torch import nn

from benchmarking import pytorch_networks as networks

# Expansion, channels, blocks, stride, kernel.
LITE0 = (
    (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3),
)
# Channels inside, blocks, stride.
RESNET50 = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))


def steps(strides, start, most):
  """(stride, dilation) of each of a chain of layers."""
  dilation = 1
  for stride in strides:
    if start * stride > most:
      yield 1, dilation
      dilation *= stride
    else:
      yield stride, dilation
      start *= stride


class Padded(nn.Conv2d):
  """Padded so that outputs of a stride lie at the middle of their cells."""

  def __init__(self, inputs, outputs, side, stride=1, dilation=1, groups=1):
    self.before = (side - stride) // 2
    same = dilation * (side // 2) if stride == 1 else 0
    super().__init__(
        inputs, outputs, side, stride, same, dilation, groups=groups
    )

  def forward(self, x):
    """[B,I,H,W] -> [B,O,ceil(H/stride),ceil(W/stride)]."""
    if self.stride[0] > 1:
      after = self.kernel_size[0] - 1 - self.before
      x = F.pad(x, (self.before, after) * 2)
    return super().forward(x)


class LiteBlock(nn.Module):
  """Inverted bottleneck."""

  def __init__(self, inputs, outputs, expand, side, stride, dilation, skip):
    super().__init__()
    inside = inputs * expand
    self.skip = skip
    if expand > 1:
      self.expand = nn.Conv2d(inputs, inside, 1)
    self.depthwise = Padded(inside, inside, side, stride, dilation, inside)
    self.project = nn.Conv2d(inside, outputs, 1)

  def forward(self, x):
    """[B,I,H,W] -> [B,O,ceil(H/stride),ceil(W/stride)]."""
    y = x
    if hasattr(self, 'expand'):
      y = F.relu6(self.expand(y), inplace=True)
    y = self.project(F.relu6(self.depthwise(y), inplace=True))
    return x + y if self.skip else y


class Lite0(nn.Module):
  """EfficientNet-Lite0 without its classifier."""

  def __init__(self, channels, output_stride=32):
    super().__init__()
    self.stem, self.ends = Padded(3, channels(32), 3, 2), []
    self.depths, inputs = [], channels(32)
    going = steps((
        1 if block else stride
        for _, _, blocks, stride, _ in LITE0 for block in range(blocks)
    ), 2, output_stride)
    for stage, (expand, count, blocks, _, side) in enumerate(LITE0, 1):
      for block in range(blocks):
        name, outputs = f'stage{stage}_{block + 1}', channels(count)
        self.add_module(name, LiteBlock(
            inputs, outputs, expand, side, *next(going), block > 0
        ))
        inputs = outputs
      if stage in (2, 3, 5, 7):
        self.ends.append(name)
        self.depths.append(inputs)

  def forward(self, images):
    """[B,3,H,W] -> maps of strides 4, 8, 16, 32."""
    x = (images - 127 / 255) / (128 / 255)
    x = F.relu6(self.stem(x), inplace=True)
    return through(self, x)


class Bottleneck(nn.Module):
  """1x1, 3x3 with the stride, 1x1, added to what goes in."""

  def __init__(self, inputs, inside, stride, dilation, project):
    super().__init__()
    self.conv1 = nn.Conv2d(inputs, inside, 1)
    self.conv2 = nn.Conv2d(inside, inside, 3, stride, dilation, dilation)
    self.conv3 = nn.Conv2d(inside, 4 * inside, 1)
    if project:
      self.shortcut = nn.Conv2d(inputs, 4 * inside, 1, stride)

  def forward(self, x):
    """[B,I,H,W] -> [B,O,ceil(H/stride),ceil(W/stride)]."""
    y = F.relu(self.conv1(x), inplace=True)
    y = self.conv3(F.relu(self.conv2(y), inplace=True))
    if hasattr(self, 'shortcut'):
      x = self.shortcut(x)
    return F.relu(x + y, inplace=True)


class ResNet50(nn.Module):
  """ResNet-50 without its classifier."""

  def __init__(self, channels, output_stride=32):
    super().__init__()
    self.register_buffer('mean', torch.tensor(networks.MEAN).view(1, 3, 1, 1))
    self.register_buffer(
        'deviation', torch.tensor(networks.DEVIATION).view(1, 3, 1, 1)
    )
    self.stem = nn.Conv2d(3, channels(64), 7, 2, 3)
    self.ends, self.depths, inputs = [], [], channels(64)
    going = steps((
        1 if block else stride
        for _, blocks, stride in RESNET50 for block in range(blocks)
    ), 4, output_stride)
    for stage, (count, blocks, _) in enumerate(RESNET50, 1):
      for block in range(blocks):
        name, inside = f'stage{stage}_{block + 1}', channels(count)
        self.add_module(name, Bottleneck(
            inputs, inside, *next(going), project=not block
        ))
        inputs = 4 * inside
      self.ends.append(name)
      self.depths.append(inputs)

  def forward(self, images):
    """[B,3,H,W] -> maps of strides 4, 8, 16, 32."""
    x = (images - self.mean) / self.deviation
    x = F.max_pool2d(F.relu(self.stem(x), inplace=True), 3, 2, 1)
    return through(self, x)


def through(encoder, x):
  """What the blocks at the ends of stages give."""
  maps = []
  for name, block in encoder.named_children():
    if name != 'stem':
      x = block(x)
      if name in encoder.ends:
        maps.append(x)
  return maps


ENCODERS = {'efficientnet_lite0': Lite0, 'resnet50': ResNet50}
