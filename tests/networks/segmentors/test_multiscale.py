import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from variables import count, filled, shapes

from adseg_jax.networks import pyramid
from adseg_jax.networks.segmentors import MultiScale
from adseg_jax.networks.segmentors.multiscale import Features


def plain(params, levels, size):
  """Upsample the features, concatenate, one classifier on all channels."""
  features = []
  for level in levels:
    found = Features(0.05).apply({'params': params['features']}, level)
    features.append(jax.image.resize(
        found, (len(found), *size, found.shape[-1]), 'bilinear'
    ))
  kernel = jnp.concatenate(
      [params[f'classifier{i}']['kernel'] for i in (1, 2, 3)]
  )
  bias = params['classifier1']['bias'].reshape(1, 1, 1, -1)
  return jnp.concatenate(features, -1) @ kernel + bias


@functools.partial(jax.jit, static_argnums=0)
def apply(module, variables, images):
  return module.apply(variables, images, train=False)


@pytest.mark.parametrize('normalization', [True, False])
def test_it_equals_the_plain_form(rng, normalization):
  module = MultiScale(5, 0.05, normalization)
  images = rng.random((2, 32, 48, 3), np.float32)
  weights = rng.standard_normal((2, 8, 12, 5), np.float32)

  def levels(images):
    if not normalization:
      return pyramid.gaussian_pyramid(pyramid.standardize(images), 3)
    bands = pyramid.laplacian_pyramid(images, 3)
    return [pyramid.local_normalize(band) for band in bands]

  @jax.jit
  def both(params, images):
    results = []
    for f in (
        lambda p: module.apply({'params': p}, images, train=True),
        lambda p: plain(p, levels(images), (8, 12)),
    ):
      value, pull = jax.vjp(f, params)
      # Gradients of the one are those of the other: the same layers.
      results.append((value, pull(weights)[0] if normalization else ()))
    return results

  results = both(filled(module)['params'], images)
  for ours, theirs in zip(*map(jax.tree.leaves, results), strict=True):
    scale = float(np.abs(theirs).max())
    assert scale > 0
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * scale)


def test_the_scales_share_their_convolutions():
  """7x7: 3-16, 16-64, 64-256, once; one classifier on 3 x 256 channels."""
  params = shapes(MultiScale(21))['params']
  assert set(params) == {
      'features', 'classifier1', 'classifier2', 'classifier3'
  }
  assert set(params['features']) == {'conv1', 'conv2', 'conv3'}
  expected = (
      49 * 3 * 16 + 16 + 49 * 16 * 64 + 64 + 49 * 64 * 256 + 256 + 768 * 21 + 21
  )
  assert count(MultiScale(21)) == expected


def test_every_scale_matters(rng):
  module = MultiScale(3, 0.05)
  images = rng.random((1, 16, 16, 3), np.float32)
  params = filled(module)['params']
  whole = apply(module, {'params': params}, images)
  for i in (1, 2, 3):
    share = jax.tree.map(np.zeros_like, params[f'classifier{i}'])
    without = apply(
        module, {'params': params | {f'classifier{i}': share}}, images
    )
    assert np.abs(without - whole).max() > 1e-3


@pytest.mark.parametrize('size', [(61, 37), (4, 4)])
def test_output_stride(size):
  module = MultiScale(3, 0.02)
  out = jax.eval_shape(
      lambda v, i: module.apply(v, i, train=False),
      shapes(module), jnp.ones((2, *size, 3)),
  )
  assert out.shape == (2, -(-size[0] // 4), -(-size[1] // 4), 3)


@pytest.mark.parametrize('normalization,moves', [(True, False), (False, True)])
def test_local_normalization_takes_absolute_colour_away(
    rng, normalization, moves
):
  module = MultiScale(3, 0.05, normalization)
  images = 0.4 * rng.random((1, 16, 16, 3), np.float32)
  variables = filled(module)
  one, other = (
      apply(module, variables, x) for x in (images + np.float32(0.5), images)
  )
  shift = np.abs(one - other).max()
  assert (shift > 0.1) == moves


def test_scales_lie_at_the_same_place_at_any_size():
  """What each says of a square far from the origin lies evenly around it."""
  side = 250  # whose halves and quarters are no whole numbers
  module = MultiScale(1, 0.05, False)
  hat = np.float32([1, 2, 3, 4, 3, 2, 1])
  hat = np.outer(hat, hat)[..., None, None]
  params = jax.tree.map(
      lambda leaf: np.zeros(leaf.shape, 'f') + {4: hat, 2: 1, 1: 0}[leaf.ndim],
      shapes(module)['params'],
  )
  place = 16 * (side // 16 - 3)
  image = np.zeros((1, 64, side, 3), np.float32)
  image[:, 16:32, place:place + 16] = 1
  middle = (place + 8) // 4
  for scale in (1, 2, 3):
    others = {f'classifier{i}' for i in {1, 2, 3} - {scale}}
    found = np.asarray(apply(module, {'params': params | {
        name: jax.tree.map(np.zeros_like, params[name]) for name in others
    }}, image))[0, 6, :, 0]
    before, after = found[middle - 4:middle][::-1], found[middle:middle + 4]
    assert np.ptp(after) > 0.05 * after.max() > 0
    np.testing.assert_allclose(before, after, rtol=0.002)
