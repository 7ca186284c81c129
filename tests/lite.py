"""EfficientNet-Lite's kinds of block, as few as have them all."""

import functools

from adseg_jax.networks.segmentors import FPN
from adseg_jax.networks.segmentors.efficientnet_lite import (
    EfficientNetLite,
    Stage,
)

STAGES = (
    Stage(1, 16, 1, 1, 3), Stage(6, 24, 2, 2, 3), Stage(6, 40, 1, 2, 5),
    Stage(6, 80, 1, 2, 3), Stage(6, 112, 1, 1, 5), Stage(6, 192, 1, 2, 5),
)
small_encoder = functools.partial(EfficientNetLite, STAGES)


def small_fpn(num_classes=3, width=0.1):
  return FPN(num_classes, width, small_encoder)
