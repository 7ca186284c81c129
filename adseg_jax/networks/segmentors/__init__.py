"""Segmentors: (images [B,H,W,3] in 0..1, *, train) -> logits [B,h,w,C].

Each is a Linen module with `stride`, input pixels per output pixel: logit i of
an axis is of the pixels i stride to (i + 1) stride - 1, h = ceil(H / stride).
Where sides are no multiples of its `period`, it repeats the last row and
column itself. `radius` is how far a pixel's logits see, in pixels, at most.

With `sizes`, int32 [B,2], images hold pictures of these heights and widths in
their first pixels, and have sides in whole periods. A picture's logits, the
first ceil(size / stride), are then those that it has alone.
"""

import functools

from adseg_jax.networks.segmentors.colours import CONSTANTS
from adseg_jax.networks.segmentors.deeplab import DeepLabV3Plus
from adseg_jax.networks.segmentors.dilated import Dilated8
from adseg_jax.networks.segmentors.efficientnet_lite import (
    EfficientNetLite,
    scaled,
)
from adseg_jax.networks.segmentors.fcn import FCN8s, FCN16s, FCN32s
from adseg_jax.networks.segmentors.fpn import FPN
from adseg_jax.networks.segmentors.multiscale import MultiScale
from adseg_jax.networks.segmentors.resnet import (
    RESNET18,
    RESNET34,
    RESNET50,
    RESNET101,
    ResNet,
)
from adseg_jax.networks.segmentors.resolution import (
    at_pixels,
    downsample_labels,
    resize_logits,
)
from adseg_jax.networks.segmentors.unet import UNet

# (width=, output_stride=, recompute=) -> Linen module. Lite's coefficients of
# width and depth: Google's tensorflow/tpu, efficientnet_lite_builder.py.
ENCODERS = {
    'efficientnet_lite0': functools.partial(EfficientNetLite, scaled(1.0, 1.0)),
    'efficientnet_lite1': functools.partial(EfficientNetLite, scaled(1.0, 1.1)),
    'efficientnet_lite2': functools.partial(EfficientNetLite, scaled(1.1, 1.2)),
    'resnet18': functools.partial(ResNet, RESNET18),
    'resnet34': functools.partial(ResNet, RESNET34),
    'resnet50': functools.partial(ResNet, RESNET50),
    'resnet101': functools.partial(ResNet, RESNET101),
}

SEGMENTORS = {
    'multiscale': MultiScale,
    'fcn32s': FCN32s,
    'fcn16s': FCN16s,
    'fcn8s': FCN8s,
    'dilated8': Dilated8,
    'fpn': FPN,
    'unet': UNet,
    'deeplabv3plus': DeepLabV3Plus,
}

__all__ = [
    'CONSTANTS', 'ENCODERS', 'FPN', 'SEGMENTORS', 'DeepLabV3Plus', 'Dilated8',
    'FCN8s', 'FCN16s', 'FCN32s', 'MultiScale', 'UNet', 'at_pixels',
    'downsample_labels', 'resize_logits',
]
