"""The adversarial step in PyTorch, as a PyTorch project writes it.

Segmentor forward; the discriminator, frozen, on the fake map; backward into
the segmentor; the discriminator on the detached fake map and on the real one;
backward; two optimiser steps. Where networks take turns, nothing is kept for a
backward pass of the idle one.
"""

import torch
import torch.nn.functional as F

from benchmarking import pytorch_heads as heads
from benchmarking import pytorch_networks as networks
from benchmarking.pytorch_encoders import ENCODERS

VOID = 255


def build(settings, classes):
  """(segmentor, discriminator) of an experiment, as a dict."""
  def scaled(width):
    return lambda count: max(1, round(count * width))

  config, adversary = settings['segmentor'], settings['adversary']
  channels, stride = scaled(config['width']), config['output_stride']
  encoder = ENCODERS[config['encoder']]
  segmentor = {
      'multiscale': lambda: networks.MultiScale(
          classes, channels, config['local_normalization']
      ),
      'fcn32s': lambda: networks.OnVGG(classes, channels, 5),
      'dilated8': lambda: networks.OnVGG(classes, channels, 3),
      'fpn': lambda: heads.FPN(classes, channels, encoder(channels)),
      'deeplabv3plus': lambda: heads.DeepLabV3Plus(
          classes, channels, encoder(channels, stride), stride
      ),
  }[config['name']]()
  discriminator = {
      'two_branch': networks.TwoBranch,
      'large_fov': networks.LargeFOV,
      'patch': networks.Patch,
  }[adversary['discriminator']]
  depth = classes * (3 if adversary['encoding'] == 'product' else 1)
  return segmentor, discriminator(depth, scaled(adversary['width']))


def make_optimizer(network, update):
  """Fused: the fastest that PyTorch has, on CPU, too."""
  rate = update['learning_rate']
  if update['name'] == 'adam':
    betas = update['momentum'], update['second_moment']
    return torch.optim.Adam(network.parameters(), rate, betas, fused=True)
  return torch.optim.SGD(
      network.parameters(), rate, update['momentum'], fused=True
  )


def commonest(labels, stride):
  """The label of most pixels of each cell, void beyond the image.

  Of several, one nearest to the middle: [B,H,W] -> [B,h,w], rounded up.
  """
  h, w = labels.shape[1:]
  cells = F.pad(
      labels.to(torch.uint8), (0, -w % stride, 0, -h % stride), value=VOID
  )
  cells = cells.unfold(1, stride, stride).unfold(2, stride, stride)
  cells = cells.flatten(3).permute(3, 0, 1, 2).contiguous()
  count = torch.zeros_like(cells)
  for one in cells:
    count += cells == one
  place = (torch.arange(stride, device=labels.device) - (stride - 1) / 2) ** 2
  distance = (place[:, None] + place).reshape(-1, 1, 1, 1)
  nearness = 1 - distance / (distance.max() + 1)
  best = (count + nearness).argmax(0, keepdim=True)
  return cells.gather(0, best)[0].long()


def true_map(labels, fake, adversary):
  """One-hot map of the truth, softened by the scaling encoding; 0 at void."""
  classes = fake.shape[1]
  valid = (labels != VOID)[:, None]
  real = F.one_hot(labels.clamp(max=classes - 1), classes)
  real = real.permute(0, 3, 1, 2).to(fake.dtype)
  if adversary['encoding'] == 'scaling':
    tau = adversary['tau']
    true = (real * fake).sum(1, keepdim=True)
    rest = torch.where(true >= tau, 1, 1 - true)
    soft = torch.where(real > 0, tau, fake * ((1 - tau) / rest))
    real = torch.where(true >= tau, fake, soft)
  return real * valid


def seen(maps, images, encoding):
  """What the discriminator sees: the maps, or their product with the image."""
  if encoding != 'product':
    return maps
  images = networks.resize(images, maps.shape[2:], antialias=True)
  return (maps[:, :, None] * images[:, None]).flatten(1, 2)


def judged(logits, target, valid):
  """Mean cross-entropy of the discriminator's logits against real or fake."""
  wanted = torch.full_like(logits, target)
  if logits.ndim == 1:
    return F.binary_cross_entropy_with_logits(logits, wanted)
  terms = F.binary_cross_entropy_with_logits(logits, wanted, reduction='none')
  return (terms * valid).sum() / valid.sum()


class Step:
  """Both networks, their optimisers, and one step of them.

  Attributes:
    segmentor: gives logits [B,C,h,w] for images [B,3,H,W].
    discriminator: gives logits for maps and images.
    optimizers: the segmentor's and the discriminator's.
  """

  def __init__(self, settings, classes, device, layout, compiled=False):
    self.adversary = settings['adversary']
    self.taken = 0
    self.bfloat16 = settings.get('precision') == 'bfloat16'
    self.device = device
    self.segmentor, self.discriminator = [
        network.to(device, memory_format=layout)
        for network in build(settings, classes)
    ]
    self.optimizers = [
        make_optimizer(network, settings['optimizer'][name])
        for name, network in (
            ('segmentor', self.segmentor),
            ('discriminator', self.discriminator),
        )
    ]
    if compiled:
      self.fool = torch.compile(self.fool)
      self.judge = torch.compile(self.judge)

  def autocast(self):
    """The precision of the computation."""
    return torch.autocast(self.device, torch.bfloat16, enabled=self.bfloat16)

  def colours(self, images):
    """The images as the discriminator sees them."""
    if self.adversary['encoding'] == 'product':
      return networks.local_normalize(images)
    return networks.standardize(images)

  def learn(self):
    """Whether the segmentor learns now, and whether the discriminator."""
    every = self.adversary['alternate_every']
    first = not every or self.taken // every % 2 == 0
    return first, not every or not first

  def fool(self, images, labels):
    """Segmentation and adversarial loss, fake map, images as seen, logits."""
    valid = labels != VOID
    with self.autocast():
      logits = self.segmentor(images)
      fake = logits.softmax(1) * valid[:, None]
      colours = self.colours(images)
      encoding = self.adversary['encoding']
      belief = self.discriminator(seen(fake, colours, encoding), colours)
      segmentation = F.cross_entropy(logits, labels, ignore_index=VOID)
      return segmentation, judged(belief, 1.0, valid), fake, colours, belief

  def judge(self, colours, labels, fake, on_fake=None):
    """The discriminator's loss; its logits on the fake map may be known."""
    valid = labels != VOID
    with self.autocast():
      real = true_map(labels, fake, self.adversary)
      encoding = self.adversary['encoding']
      if on_fake is None:
        on_fake = self.discriminator(seen(fake, colours, encoding), colours)
      on_real = self.discriminator(seen(real, colours, encoding), colours)
      return judged(on_fake, 0.0, valid) + judged(on_real, 1.0, valid)

  def __call__(self, images, labels):
    """One step.

    Args:
      images: [B,3,H,W] in 0..1.
      labels: [B,H,W] int64, void 255.

    Returns:
      (segmentation, adversarial, discriminator's loss), each a tensor.
    """
    labels = commonest(labels, self.segmentor.stride)
    for optimizer in self.optimizers:
      optimizer.zero_grad(set_to_none=True)
    segmentor, discriminator = self.learn()
    self.taken += 1
    self.discriminator.requires_grad_(False)
    with torch.set_grad_enabled(segmentor):
      segmentation, adversarial, fake, colours, belief = self.fool(
          images, labels
      )
    if segmentor:
      (segmentation + self.adversary['weight'] * adversarial).backward()
      self.optimizers[0].step()
    self.discriminator.requires_grad_(True)
    if discriminator:
      loss = self.judge(colours, labels, fake.detach())
      loss.backward()
      self.optimizers[1].step()
    else:
      with torch.no_grad():
        loss = self.judge(colours, labels, fake, belief)
    return segmentation.detach(), adversarial.detach(), loss.detach()
