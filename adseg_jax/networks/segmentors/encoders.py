"""Encoders by name: (width=) -> Linen module, maps of strides 4 to 32."""

import functools

from adseg_jax.networks.segmentors.efficientnet_lite import (
    EfficientNetLite,
    scaled,
)
from adseg_jax.networks.segmentors.resnet import (
    RESNET18,
    RESNET34,
    RESNET50,
    RESNET101,
    ResNet,
)

# Lite's coefficients of width and depth: Google's tensorflow/tpu,
# efficientnet/lite/efficientnet_lite_builder.py.
ENCODERS = {
    'efficientnet_lite0': functools.partial(EfficientNetLite, scaled(1.0, 1.0)),
    'efficientnet_lite1': functools.partial(EfficientNetLite, scaled(1.0, 1.1)),
    'efficientnet_lite2': functools.partial(EfficientNetLite, scaled(1.1, 1.2)),
    'resnet18': functools.partial(ResNet, RESNET18),
    'resnet34': functools.partial(ResNet, RESNET34),
    'resnet50': functools.partial(ResNet, RESNET50),
    'resnet101': functools.partial(ResNet, RESNET101),
}
