"""Weights of others, brought into our trees."""

from adseg_jax.networks.pretrained.load import Pretrained, load, start

__all__ = ['Pretrained', 'load', 'start']
