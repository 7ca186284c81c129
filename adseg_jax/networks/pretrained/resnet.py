"""ResNet's layers, which torchvision and timm name alike."""

from adseg_jax.networks.pretrained.folded import STEM, Family, Layout, blocks
from adseg_jax.networks.segmentors.vgg import DEVIATION, MEAN


def _names(params):
  names = {STEM: ('conv1', 'bn1')}
  for block, stage, number in blocks(params):
    prefix = f'layer{stage + 1}.{number}.'
    for part in params[block]:
      pair = part, part.replace('conv', 'bn')
      if part == 'shortcut':
        pair = 'downsample.0', 'downsample.1'
      names[block, part] = tuple(prefix + name for name in pair)
  return names


FAMILY = Family(
    'ResNet', (Layout(_names, (), MEAN, DEVIATION),), 1e-5, DEVIATION
)
