"""Encoders with every kind of block, as few as have them all."""

import functools

from adseg_jax.networks.segmentors import FPN, DeepLabV3Plus, UNet
from adseg_jax.networks.segmentors.efficientnet_lite import (
    EfficientNetLite,
    Stage,
)
from adseg_jax.networks.segmentors.resnet import ResNet, stages

STAGES = (
    Stage(1, 16, 1, 1, 3), Stage(6, 24, 2, 2, 3), Stage(6, 40, 1, 2, 5),
    Stage(6, 80, 1, 2, 3), Stage(6, 112, 1, 1, 5), Stage(6, 192, 1, 2, 5),
)
small_encoder = functools.partial(EfficientNetLite, STAGES)
small_resnet = functools.partial(ResNet, stages((2, 1, 1, 1), False))


def small_fpn(num_classes=3, width=0.1, encoder=small_encoder):
  return FPN(num_classes, width, encoder)


def small_unet(num_classes=3, width=0.1):
  return UNet(num_classes, width, small_encoder)


def small_deeplab(
    num_classes=3, width=0.1, encoder=small_encoder, output_stride=16
):
  return DeepLabV3Plus(
      num_classes, width, encoder, output_stride=output_stride
  )
