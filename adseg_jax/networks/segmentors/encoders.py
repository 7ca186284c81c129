"""Encoders by name: (width=) -> Linen module, maps of strides 4 to 32."""

import functools

from adseg_jax.networks.segmentors.efficientnet_lite import (
    EfficientNetLite,
    scaled,
)

# Coefficients of width and depth: Google's tensorflow/tpu,
# efficientnet/lite/efficientnet_lite_builder.py.
ENCODERS = {
    'efficientnet_lite0': functools.partial(EfficientNetLite, scaled(1.0, 1.0)),
    'efficientnet_lite1': functools.partial(EfficientNetLite, scaled(1.0, 1.1)),
    'efficientnet_lite2': functools.partial(EfficientNetLite, scaled(1.1, 1.2)),
}
