"""The networks of adseg_jax in PyTorch, as a PyTorch project writes them.

Layers have the names that they have in JAX, so that weights carry over.
Tensors are [B,C,H,W]; nothing here needs more than PyTorch.
"""

import torch
import torch.nn.functional as F
from torch import nn

WINDOW = 15  # side of the neighbourhood of local normalisation, in pixels
BINOMIAL = (1 / 8, 3 / 8, 3 / 8, 1 / 8)
# Of ImageNet, RGB in 0..1.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Convolutions and channels of each block of VGG-16.
BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


def convolution(inputs, outputs, side, dilation=1, bias=True):
  """'Same' convolution for an odd side."""
  return nn.Conv2d(
      inputs, outputs, side, padding=dilation * (side // 2), dilation=dilation,
      bias=bias,
  )


def resize(x, size, antialias=False):
  """Bilinear, pixel centres at half."""
  return F.interpolate(
      x, size, mode='bilinear', align_corners=False, antialias=antialias
  )


def framed(images, period):
  """Sides that are multiples, the last row and column repeated."""
  bottom, right = (-side % period for side in images.shape[2:])
  if bottom or right:
    images = F.pad(images, (0, right, 0, bottom), 'replicate')
  return images


def first(x, images, stride):
  """The cells that lie in images, at least in part."""
  h, w = (-(-side // stride) for side in images.shape[2:])
  return x[:, :, :h, :w]


def pooled(x):
  """ReLU, then a 2x2 max pool."""
  return F.max_pool2d(F.relu(x, inplace=True), 2)


def standardize(images):
  """RGB in 0..1 -> about zero mean and unit deviation."""
  return (images - 0.45) / 0.25


def local_normalize(images):
  """Zero mean and unit deviation over each pixel's neighbourhood."""
  def mean(x):
    return F.avg_pool2d(
        x, WINDOW, 1, WINDOW // 2, count_include_pad=False
    )

  centred = images - mean(images)
  return centred / mean(centred**2).sqrt().clamp(min=0.01)


def halve(x):
  """Binomial filter of stride 2; at the edges over the taps inside."""
  taps = torch.tensor(BINOMIAL, device=x.device)
  kernel = torch.outer(taps, taps)[None, None]
  count = x.shape[1]
  inside = F.pad(torch.ones_like(x[:1, :1]), (1, 2, 1, 2))
  total = F.conv2d(
      F.pad(x, (1, 2, 1, 2)), kernel.repeat(count, 1, 1, 1), stride=2,
      groups=count,
  )
  return total / F.conv2d(inside, kernel, stride=2)


def pyramid(images, normalized):
  """Three scales: a locally normalised Laplacian pyramid, or a Gaussian one."""
  levels = [images if normalized else standardize(images)]
  for _ in range(2):
    levels.append(halve(levels[-1]))
  if not normalized:
    return levels
  for i in range(2):
    levels[i] = levels[i] - resize(levels[i + 1], levels[i].shape[2:])
  return [local_normalize(level) for level in levels]


class Features(nn.Module):
  """7x7-16, pool, 7x7-64, pool, 7x7-256."""

  def __init__(self, channels):
    super().__init__()
    self.conv1 = convolution(3, channels(16), 7)
    self.conv2 = convolution(channels(16), channels(64), 7)
    self.conv3 = convolution(channels(64), channels(256), 7)

  def forward(self, x):
    """[B,3,H,W] -> [B,256,H/4,W/4]."""
    x = pooled(self.conv2(pooled(self.conv1(x))))
    return F.relu(self.conv3(x), inplace=True)


class MultiScale(nn.Module):
  """Farabet et al. 2013, three scales."""

  stride = 4

  def __init__(self, classes, channels, normalized):
    super().__init__()
    self.normalized = normalized
    self.features = Features(channels)
    for i in (1, 2, 3):
      layer = convolution(channels(256), classes, 1, bias=i == 1)
      setattr(self, f'classifier{i}', layer)

  def forward(self, images):
    """[B,3,H,W] -> logits [B,C,H/4,W/4], rounded up."""
    levels = pyramid(framed(images, 4 * self.stride), self.normalized)
    fine, *coarse = [
        classifier(self.features(level)) for level, classifier in zip(
            levels, (self.classifier1, self.classifier2, self.classifier3),
            strict=True,
        )
    ]
    for logits in coarse:
      fine = fine + resize(logits, fine.shape[2:])
    return first(fine, images, self.stride)


class VGG(nn.Module):
  """VGG-16's convolutions; behind the pools that are left out, dilated."""

  def __init__(self, channels, pools):
    super().__init__()
    self.pools = pools
    self.register_buffer('mean', torch.tensor(MEAN).view(1, 3, 1, 1))
    self.register_buffer('deviation', torch.tensor(DEVIATION).view(1, 3, 1, 1))
    inputs = 3
    for block, (count, outputs) in enumerate(BLOCKS, 1):
      dilation = 2 ** max(0, block - 1 - pools)
      for i in range(1, count + 1):
        layer = convolution(inputs, channels(outputs), 3, dilation)
        setattr(self, f'conv{block}_{i}', layer)
        inputs = channels(outputs)

  def forward(self, images):
    """[B,3,H,W] in 0..1 -> [B,512,H/2^pools,W/2^pools]."""
    x = (images - self.mean) / self.deviation
    for block, (count, _) in enumerate(BLOCKS, 1):
      for i in range(1, count + 1):
        x = F.relu(getattr(self, f'conv{block}_{i}')(x), inplace=True)
      if block <= self.pools:
        x = F.max_pool2d(x, 2)
    return x


class OnVGG(nn.Module):
  """FCN-32s (five pools) or Dilated-8's front end (three)."""

  stride = 8

  def __init__(self, classes, channels, pools):
    super().__init__()
    self.pools = pools
    self.vgg = VGG(channels, pools)
    wide = channels(4096)
    dilation = 1 if pools == 5 else 4
    self.fc6 = convolution(channels(512), wide, 7, dilation)
    self.fc7 = convolution(wide, wide, 1)
    self.score = convolution(wide, classes, 1)
    self.dropout = nn.Dropout(0.5)

  def forward(self, images):
    """[B,3,H,W] -> logits [B,C,H/8,W/8], rounded up."""
    whole = framed(images, 2**self.pools)
    x = self.vgg(whole)
    for layer in self.fc6, self.fc7:
      x = self.dropout(F.relu(layer(x), inplace=True))
    x = self.score(x)
    if self.pools == 5:
      x = resize(x, [side // self.stride for side in whole.shape[2:]])
    return first(x, images, self.stride)


class TwoBranch(nn.Module):
  """The Stanford Background adversary of Luc et al. 2016."""

  def __init__(self, depth, channels):
    super().__init__()
    self.image1 = convolution(3, channels(16), 5)
    self.image2 = convolution(channels(16), channels(64), 5)
    self.maps = convolution(depth, channels(64), 5)
    self.joint1 = convolution(2 * channels(64), channels(128), 3)
    self.joint2 = convolution(channels(128), channels(256), 3)
    self.joint3 = convolution(channels(256), channels(512), 3)
    self.logit = convolution(channels(512), 1, 3)

  def forward(self, maps, images):
    """[B,C,H/4,W/4], [B,3,H,W] -> [B]."""
    size = tuple(4 * side for side in maps.shape[2:])
    if tuple(images.shape[2:]) != size:
      images = resize(images, size, antialias=True)
    x = pooled(self.image2(pooled(self.image1(images))))
    y = F.relu(self.maps(maps), inplace=True)
    x = torch.cat([x, y], 1)
    x = pooled(self.joint2(pooled(self.joint1(x))))
    x = F.relu(self.joint3(x), inplace=True)
    return self.logit(x).mean((1, 2, 3))


class LargeFOV(nn.Module):
  """The PASCAL VOC adversary of Luc et al. 2016."""

  def __init__(self, depth, channels):
    super().__init__()
    for i, count in enumerate((96, 128, 128, 256, 256, 512), 1):
      setattr(self, f'conv{i}', convolution(depth, channels(count), 3))
      depth = channels(count)
    self.logit = convolution(depth, 1, 3)

  def forward(self, maps, images):
    """[B,C,h,w], images not used -> [B]."""
    x = F.relu(self.conv1(maps), inplace=True)
    x = F.relu(self.conv2(x), inplace=True)
    x = F.relu(self.conv4(pooled(self.conv3(x))), inplace=True)
    x = F.relu(self.conv6(pooled(self.conv5(x))), inplace=True)
    return self.logit(x).mean((1, 2, 3))


class Patch(nn.Module):
  """Five 4x4 convolutions of stride 2 (Hung et al. 2018)."""

  def __init__(self, depth, channels):
    super().__init__()
    counts = [*map(channels, (64, 128, 256, 512)), 1]
    for name, count in zip(
        ('conv1', 'conv2', 'conv3', 'conv4', 'logit'), counts, strict=True
    ):
      setattr(self, name, nn.Conv2d(depth, count, 4, 2, 1))
      depth = count

  def forward(self, maps, images):
    """[B,C,h,w], [B,3,H,W], whose size alone is used -> [B,h,w]."""
    x = resize(maps, images.shape[2:])
    for layer in self.conv1, self.conv2, self.conv3, self.conv4, self.logit:
      # An odd side gets one more zero, as 'same' has it.
      x = layer(F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2)))
      if layer is not self.logit:
        x = F.leaky_relu(x, 0.2, inplace=True)
    return resize(x, maps.shape[2:])[:, 0]
