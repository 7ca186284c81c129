"""Semantic segmentation trained against a discriminator, in JAX."""
