"""FPN on EfficientNet-Lite0 in PyTorch, its batch norms folded as in JAX."""

import torch.nn.functional as F
from torch import nn

# Expansion, channels, blocks, stride, kernel.
STAGES = (
    (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3),
)
MEAN, DEVIATION = 127 / 255, 128 / 255


class Padded(nn.Conv2d):
  """Padded so that outputs of a stride lie at the middle of their cells."""

  def __init__(self, inputs, outputs, side, stride=1, groups=1):
    self.before = (side - stride) // 2
    same = side // 2 if stride == 1 else 0
    super().__init__(inputs, outputs, side, stride, same, groups=groups)

  def forward(self, x):
    """[B,I,H,W] -> [B,O,ceil(H/stride),ceil(W/stride)]."""
    if self.stride[0] > 1:
      after = self.kernel_size[0] - 1 - self.before
      x = F.pad(x, (self.before, after) * 2)
    return super().forward(x)


class Block(nn.Module):
  """Inverted bottleneck."""

  def __init__(self, inputs, outputs, expand, side, stride, skip):
    super().__init__()
    inside = inputs * expand
    self.skip = skip
    if expand > 1:
      self.expand = nn.Conv2d(inputs, inside, 1)
    self.depthwise = Padded(inside, inside, side, stride, inside)
    self.project = nn.Conv2d(inside, outputs, 1)

  def forward(self, x):
    """[B,I,H,W] -> [B,O,ceil(H/stride),ceil(W/stride)]."""
    y = x
    if hasattr(self, 'expand'):
      y = F.relu6(self.expand(y), inplace=True)
    y = self.project(F.relu6(self.depthwise(y), inplace=True))
    return x + y if self.skip else y


class Encoder(nn.Module):
  """EfficientNet-Lite0 without its classifier."""

  def __init__(self, channels):
    super().__init__()
    self.stem, self.ends = Padded(3, channels(32), 3, 2), []
    inputs = channels(32)
    for stage, (expand, count, blocks, stride, side) in enumerate(STAGES, 1):
      for block in range(blocks):
        name, outputs = f'stage{stage}_{block + 1}', channels(count)
        self.add_module(name, Block(
            inputs, outputs, expand, side, 1 if block else stride, block > 0
        ))
        inputs = outputs
      if stage in (2, 3, 5, 7):
        self.ends.append(name)

  def forward(self, images):
    """[B,3,H,W] -> maps of strides 4, 8, 16, 32."""
    maps = []
    x = F.relu6(self.stem((images - MEAN) / DEVIATION), inplace=True)
    for name, block in self.named_children():
      if name != 'stem':
        x = block(x)
        if name in self.ends:
          maps.append(x)
    return maps


class Norm(nn.LayerNorm):
  """Over the channels of each pixel."""

  def forward(self, x):
    """[B,C,H,W] -> the same."""
    return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Projected(nn.Module):
  """1x1 and norm."""

  def __init__(self, inputs, outputs):
    super().__init__()
    self.conv = nn.Conv2d(inputs, outputs, 1)
    self.norm = Norm(outputs, eps=1e-6)

  def forward(self, x):
    """[B,I,H,W] -> [B,O,H,W]."""
    return self.norm(self.conv(x))


class Separable(nn.Module):
  """3x3 depthwise, 1x1, norm, ReLU."""

  def __init__(self, features):
    super().__init__()
    self.depthwise = Padded(features, features, 3, groups=features)
    self.pointwise = Projected(features, features)

  def forward(self, x):
    """[B,C,H,W] -> the same."""
    return F.relu(self.pointwise(self.depthwise(x)))


class Pyramid(nn.Module):
  """Joins maps, coarsest first."""

  def __init__(self, inputs, features):
    super().__init__()
    for number, count in enumerate(inputs, 1):
      self.add_module(f'lateral{number}', Projected(count, features))
      self.add_module(f'smooth{number}', Separable(features))

  def forward(self, maps):
    """Maps of strides 4, 8, 16, 32 -> [B,features,H/4,W/4]."""
    total = None
    for number, x in reversed(list(enumerate(maps, 1))):
      h, w = x.shape[2:]
      x = getattr(self, f'lateral{number}')(x)
      if total is not None:
        wide = F.interpolate(total, scale_factor=2, mode='bilinear')
        x = x + wide[:, :, :h, :w]
      total = getattr(self, f'smooth{number}')(x)
    return total


class FPN(nn.Module):
  """Encoder, pyramid, class layer."""

  stride = 4

  def __init__(self, classes, channels):
    super().__init__()
    features = max(8, channels(128))
    self.encoder = Encoder(channels)
    self.pyramid = Pyramid(
        [channels(count) for count in (24, 40, 112, 320)], features
    )
    self.score = nn.Conv2d(features, classes, 1)

  def forward(self, images):
    """[B,3,H,W], sides multiples of 4 -> logits [B,C,H/4,W/4]."""
    return self.score(self.pyramid(self.encoder(images)))
