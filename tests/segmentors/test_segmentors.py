import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adseg_jax import pyramid
from adseg_jax.segmentors import (
    SEGMENTORS,
    FCN32s,
    MultiScale,
    downsample_labels,
    resize_logits,
)
from adseg_jax.segmentors.multiscale import Features


def filled(module, images, seed=0):
  """Variables of the right shapes, quickly: noise instead of an init."""
  shapes = jax.eval_shape(
      lambda key: module.init(key, images, train=False), jax.random.key(0)
  )
  rng = np.random.default_rng(seed)
  return jax.tree.map(
      lambda s: jnp.asarray(rng.normal(0, 0.1, s.shape), s.dtype), shapes
  )


def count(module, side=64):
  shapes = jax.eval_shape(
      lambda key: module.init(key, jnp.zeros((1, side, side, 3)), train=False),
      jax.random.key(0),
  )
  return sum(leaf.size for leaf in jax.tree.leaves(shapes))


@pytest.mark.parametrize('normalization', [True, False])
def test_multiscale_equals_the_plain_form(rng, normalization):
  """Upsample the features, concatenate, one classifier on 3 x 256 channels."""
  module = MultiScale(5, 0.05, normalization)
  images = jnp.asarray(rng.random((2, 32, 24, 3)), jnp.float32)
  variables = filled(module, images)
  if normalization:
    levels = map(
        pyramid.local_normalize, pyramid.laplacian_pyramid(images, 3)
    )
  else:
    levels = pyramid.gaussian_pyramid(pyramid.standardize(images), 3)
  levels = list(levels)

  def plain(params):
    shared = Features(0.05)
    features = [
        jax.image.resize(f, (2, 8, 6, f.shape[-1]), 'bilinear')
        for f in (shared.apply({'params': params['features']}, level)
                  for level in levels)
    ]
    kernel = jnp.concatenate(
        [params[f'classifier{i}']['kernel'] for i in (1, 2, 3)]
    )
    bias = params['classifier1']['bias'].reshape(1, 1, 1, -1)
    return jnp.concatenate(features, -1) @ kernel + bias

  weights = jnp.asarray(rng.normal(size=(2, 8, 6, 5)), jnp.float32)

  @jax.jit
  def both(params):
    results = []
    for f in (plain, lambda p: module.apply(
        {'params': p}, images, train=True
    )):
      value, pull = jax.vjp(f, params)
      results.append((value, pull(weights)[0]))
    return results

  for ours, theirs in zip(
      *map(jax.tree.leaves, both(variables['params'])), strict=True
  ):
    scale = float(jnp.abs(theirs).max())
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * scale)


def test_multiscale_parameters():
  # 7x7: 3-16, 16-64, 64-256 shared by the scales; a classifier on 768.
  expected = (
      49 * 3 * 16 + 16 + 49 * 16 * 64 + 64 + 49 * 64 * 256 + 256 + 768 * 21 + 21
  )
  assert count(MultiScale(21)) == expected


def test_fcn32s_parameters():
  assert count(FCN32s(21)) == 134_346_581


@pytest.mark.parametrize('name', SEGMENTORS)
@pytest.mark.parametrize('size', [(64, 32), (61, 37), (8, 9)])
def test_output_stride(name, size):
  module = SEGMENTORS[name](3, 0.02)
  images = jnp.ones((2, *size, 3))
  out = jax.eval_shape(
      lambda i: module.apply(filled(module, i), i, train=False), images
  )
  assert out.shape == (2, size[0] // module.stride, size[1] // module.stride, 3)


def test_fcn32s_drops_features_in_training_only(rng):
  module = FCN32s(3, 0.02)
  images = jnp.asarray(rng.random((1, 32, 32, 3)), jnp.float32)
  variables = filled(module, images)

  @jax.jit
  def train(key):
    return module.apply(variables, images, train=True, rngs={'dropout': key})

  quiet = jax.jit(lambda: module.apply(variables, images, train=False))
  first, second = train(jax.random.key(0)), train(jax.random.key(1))
  assert np.abs(first - second).max() > 0
  np.testing.assert_array_equal(first, train(jax.random.key(0)))
  np.testing.assert_array_equal(quiet(), quiet())


def test_labels_are_picked_at_the_middle():
  labels = jnp.arange(6 * 9).reshape(1, 6, 9)
  np.testing.assert_array_equal(
      downsample_labels(labels, 4), [[[2 * 9 + 2, 2 * 9 + 6]]]
  )
  np.testing.assert_array_equal(downsample_labels(labels, 1), labels)


def test_resized_logits_align_with_downsampled_labels():
  """Half a plane of each class comes back where it was."""
  labels = jnp.zeros((1, 16, 32), jnp.int32).at[:, :, 12:].set(1)
  logits = jax.nn.one_hot(downsample_labels(labels, 4), 2)
  back = resize_logits(logits, (16, 32)).argmax(-1)
  np.testing.assert_array_equal(back, labels)
