"""Segmentors: (images [B,H,W,3] in 0..1, *, train) -> logits [B,h,w,C].

Each is a Linen module with a class attribute `stride`: input pixels per
output pixel.
"""

from adseg_jax.segmentors.fcn import FCN32s
from adseg_jax.segmentors.multiscale import MultiScale
from adseg_jax.segmentors.resolution import downsample_labels, resize_logits

SEGMENTORS = {'multiscale': MultiScale, 'fcn32s': FCN32s}

__all__ = [
    'SEGMENTORS', 'FCN32s', 'MultiScale', 'downsample_labels', 'resize_logits',
]
