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


@pytest.mark.parametrize('normalization', [True, False])
def test_it_equals_the_plain_form(rng, normalization):
  module = MultiScale(5, 0.05, normalization)
  images = jnp.asarray(rng.random((2, 32, 48, 3)), jnp.float32)
  weights = jnp.asarray(rng.normal(size=(2, 8, 12, 5)), jnp.float32)

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
      results.append((value, pull(weights)[0]))
    return results

  results = both(filled(module)['params'], images)
  for ours, theirs in zip(*map(jax.tree.leaves, results), strict=True):
    scale = float(jnp.abs(theirs).max())
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
  images = jnp.asarray(rng.random((1, 16, 16, 3)), jnp.float32)
  variables = filled(module)
  apply = jax.jit(lambda v, i: module.apply(v, i, train=False))
  whole = apply(variables, images)
  for i in (1, 2, 3):
    params = variables['params']
    share = jax.tree.map(jnp.zeros_like, params[f'classifier{i}'])
    without = apply({'params': params | {f'classifier{i}': share}}, images)
    assert np.abs(without - whole).max() > 1e-3


@pytest.mark.parametrize('size', [(64, 32), (61, 37), (8, 9), (4, 4)])
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
  images = jnp.asarray(0.4 * rng.random((1, 16, 16, 3)), jnp.float32)
  variables = filled(module)
  apply = jax.jit(lambda i: module.apply(variables, i, train=False))
  shift = np.abs(apply(images + 0.5) - apply(images)).max()
  assert (shift > 0.1) == moves


@pytest.mark.parametrize('side', [180, 200, 250])
def test_scales_lie_at_the_same_place_at_any_size(side):
  """What each says of a square far from the origin lies evenly around it."""
  module = MultiScale(1, 0.05, False)
  hat = jnp.asarray([1.0, 2, 3, 4, 3, 2, 1])
  hat = (hat[:, None] * hat[None])[..., None, None]
  params = jax.tree.map(
      lambda leaf: leaf * 0 + {4: hat, 2: 1, 1: 0}[leaf.ndim],
      filled(module)['params'],
  )
  place = 16 * (side // 16 - 3)
  image = jnp.zeros((1, 64, side, 3)).at[:, 16:32, place:place + 16].set(1)
  apply = jax.jit(lambda p: module.apply({'params': p}, image, train=False))
  middle = (place + 8) // 4
  for scale in (1, 2, 3):
    others = {f'classifier{i}' for i in {1, 2, 3} - {scale}}
    found = np.asarray(apply(params | {
        name: jax.tree.map(jnp.zeros_like, params[name]) for name in others
    }))[0, 6, :, 0]
    before, after = found[middle - 4:middle][::-1], found[middle:middle + 4]
    assert np.ptp(after) > 0.05 * after.max() > 0
    np.testing.assert_allclose(before, after, rtol=0.002)
