"""Networks on an encoder in PyTorch: a feature pyramid and DeepLabv3+."""

import torch
import torch.nn.functional as F
from torch import nn

from benchmarking.pytorch_encoders import Padded
from benchmarking.pytorch_networks import first, framed


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

  def __init__(self, inputs, outputs, dilation=1):
    super().__init__()
    self.depthwise = Padded(
        inputs, inputs, 3, dilation=dilation, groups=inputs
    )
    self.pointwise = Projected(inputs, outputs)

  def forward(self, x):
    """[B,I,H,W] -> [B,O,H,W]."""
    return F.relu(self.pointwise(self.depthwise(x)))


def enlarged(x, size, factor=2):
  """Bilinear to more cells of [B,C,h,w], but to no more than a size."""
  wide = F.interpolate(x, scale_factor=factor, mode='bilinear')
  return wide[:, :, :size[0], :size[1]]


class Pyramid(nn.Module):
  """Joins maps, coarsest first."""

  def __init__(self, inputs, features):
    super().__init__()
    for number, count in enumerate(inputs, 1):
      self.add_module(f'lateral{number}', Projected(count, features))
      self.add_module(f'smooth{number}', Separable(features, features))

  def forward(self, maps):
    """Maps of strides 4, 8, 16, 32 -> [B,features,H/4,W/4]."""
    total = None
    for number, x in reversed(list(enumerate(maps, 1))):
      size = x.shape[2:]
      x = getattr(self, f'lateral{number}')(x)
      if total is not None:
        x = x + enlarged(total, size)
      total = getattr(self, f'smooth{number}')(x)
    return total


class Pooling(nn.Module):
  """Atrous spatial pyramid pooling."""

  def __init__(self, inputs, features, rates):
    super().__init__()
    self.cell = Projected(inputs, features)
    self.atrous1, self.atrous2, self.atrous3 = [
        Separable(inputs, features, rate) for rate in rates
    ]
    self.joined = Projected(4 * features, features)

  def forward(self, x):
    """[B,C,h,w] -> [B,features,h,w]."""
    parts = [F.relu(self.cell(x))]
    for layer in self.atrous1, self.atrous2, self.atrous3:
      parts.append(layer(x))
    return F.relu(self.joined(torch.cat(parts, 1)))


class Decoder(nn.Module):
  """Joins the last map, pooled, and the first."""

  def __init__(self, inputs, features, skip, output_stride):
    super().__init__()
    self.factor = output_stride // 4
    rates = [rate * 16 // output_stride for rate in (6, 12, 18)]
    self.pooling = Pooling(inputs[-1], features, rates)
    self.skip = Projected(inputs[0], skip)
    self.smooth1 = Separable(features + skip, features)
    self.smooth2 = Separable(features, features)

  def forward(self, maps):
    """Maps, finest first -> [B,features,H/4,W/4]."""
    fine, *_, x = maps
    x = enlarged(self.pooling(x), fine.shape[2:], self.factor)
    x = torch.cat([x, F.relu(self.skip(fine))], 1)
    return self.smooth2(self.smooth1(x))


class FPN(nn.Module):
  """Encoder, pyramid, class layer."""

  stride = 4

  def __init__(self, classes, channels, encoder):
    super().__init__()
    features = max(8, channels(128))
    self.encoder = encoder
    self.pyramid = Pyramid(encoder.depths, features)
    self.score = nn.Conv2d(features, classes, 1)

  def forward(self, images):
    """[B,3,H,W] -> logits [B,C,H/4,W/4], rounded up."""
    maps = self.encoder(framed(images, self.stride))
    return first(self.score(self.pyramid(maps)), images, self.stride)


class DeepLabV3Plus(nn.Module):
  """Encoder, decoder, class layer."""

  stride = 4

  def __init__(self, classes, channels, encoder, output_stride):
    super().__init__()
    features = max(8, channels(256))
    self.encoder = encoder
    self.decoder = Decoder(
        encoder.depths, features, max(8, channels(48)), output_stride
    )
    self.score = nn.Conv2d(features, classes, 1)

  def forward(self, images):
    """[B,3,H,W] -> logits [B,C,H/4,W/4], rounded up."""
    maps = self.encoder(framed(images, self.stride))
    return first(self.score(self.decoder(maps)), images, self.stride)
