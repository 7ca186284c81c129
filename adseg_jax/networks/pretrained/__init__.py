"""Weights of others, brought into our trees."""

from adseg_jax.networks.pretrained.load import (
    AUTO,
    IMAGENET,
    Pretrained,
    is_name,
    load,
    start,
)

__all__ = ['AUTO', 'IMAGENET', 'Pretrained', 'is_name', 'load', 'start']
