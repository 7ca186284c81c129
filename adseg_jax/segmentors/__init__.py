"""Segmentors: (images [B,H,W,3] in 0..1, *, train) -> logits [B,h,w,C].

Each is a Linen module with a class attribute `stride`: input pixels per
output pixel.
"""

from adseg_jax.segmentors.dilated import Dilated8
from adseg_jax.segmentors.fcn import FCN8s, FCN16s, FCN32s
from adseg_jax.segmentors.multiscale import MultiScale
from adseg_jax.segmentors.resolution import downsample_labels, resize_logits
from adseg_jax.segmentors.vgg import CONSTANTS

SEGMENTORS = {
    'multiscale': MultiScale,
    'fcn32s': FCN32s,
    'fcn16s': FCN16s,
    'fcn8s': FCN8s,
    'dilated8': Dilated8,
}

__all__ = [
    'CONSTANTS', 'SEGMENTORS', 'Dilated8', 'FCN8s', 'FCN16s', 'FCN32s',
    'MultiScale', 'downsample_labels', 'resize_logits',
]
