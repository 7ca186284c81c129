import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adseg_jax.method import encodings


def random_maps(rng, *shape):
  maps = rng.random(shape).astype(np.float32)
  return maps / maps.sum(-1, keepdims=True)


def scaling_by_loop(labels, probabilities, tau):
  out = np.zeros_like(probabilities)
  for where in np.ndindex(*labels.shape):
    true, s = labels[where], probabilities[where].astype(np.float64)
    if true == 255:
      continue
    y = max(tau, s[true])
    out[where] = s * (1 - y) / (1 - s[true]) if s[true] < 1 else 0
    out[where][true] = y
  return out


def test_basic_is_the_map(rng):
  maps = random_maps(rng, 2, 3, 4, 5)
  np.testing.assert_array_equal(encodings.basic(maps, None), maps)


def test_product_by_loop(rng):
  maps = random_maps(rng, 2, 3, 4, 5)
  images = rng.random((2, 3, 4, 3)).astype(np.float32)
  value = encodings.product(jnp.asarray(maps), jnp.asarray(images))
  assert value.shape == (2, 3, 4, 15)
  for c in range(5):
    for k in range(3):
      np.testing.assert_allclose(
          value[..., 3 * c + k], maps[..., c] * images[..., k], rtol=1e-6
      )


def test_product_brings_the_image_to_the_map(rng):
  maps = jnp.asarray(random_maps(rng, 1, 3, 4, 2))
  images = jnp.broadcast_to(jnp.array([0.1, 0.5, 0.9]), (1, 12, 16, 3))
  np.testing.assert_allclose(
      encodings.product(maps, images),
      encodings.product(maps, images[:, :3, :4]), rtol=1e-5,
  )


@pytest.mark.parametrize('tau', [0.9, 0.5, 1.0])
def test_scaling_by_loop(rng, tau):
  probabilities = random_maps(rng, 2, 5, 6, 4)
  labels = rng.integers(0, 4, (2, 5, 6))
  labels[0, 0] = 255
  one_hot = encodings.one_hot(jnp.asarray(labels), 4)
  value = encodings.scaling(one_hot, jnp.asarray(probabilities), tau)
  np.testing.assert_allclose(
      value, scaling_by_loop(labels, probabilities, tau), atol=1e-6
  )


def test_scaling_where_the_segmentor_is_sure():
  probabilities = jnp.array([[[[0.95, 0.05, 0.0], [1.0, 0.0, 0.0]]]])
  one_hot = encodings.one_hot(jnp.zeros((1, 1, 2), jnp.int32), 3)
  value, pull = jax.vjp(
      lambda p: encodings.scaling(one_hot, p, 0.9), probabilities
  )
  np.testing.assert_array_equal(value, probabilities)
  assert np.isfinite(pull(jnp.ones_like(value))[0]).all()


def test_scaling_sums_to_one(rng):
  probabilities = jnp.asarray(random_maps(rng, 1, 4, 4, 6))
  one_hot = encodings.one_hot(jnp.full((1, 4, 4), 2), 6)
  value = encodings.scaling(one_hot, probabilities)
  np.testing.assert_allclose(value.sum(-1), 1, rtol=1e-5)
  assert value[..., 2].min() >= 0.9


def test_one_hot_has_zero_rows_at_void():
  value = encodings.one_hot(jnp.array([[[1, 255, 0]]]), 3)
  np.testing.assert_array_equal(value[0, 0], [[0, 1, 0], [0, 0, 0], [1, 0, 0]])


def test_one_hot_with_a_void_that_would_be_a_class():
  value = encodings.one_hot(jnp.array([[[1, 0]]]), 3, void=1)
  np.testing.assert_array_equal(value[0, 0], [[0, 0, 0], [1, 0, 0]])


@pytest.mark.parametrize('tau', [None, 0.9])
def test_void_is_zero_in_real_and_fake(rng, tau):
  logits = jnp.asarray(rng.normal(size=(2, 4, 5, 3)), jnp.float32)
  labels = jnp.asarray(rng.integers(0, 3, (2, 4, 5))).at[:, 1].set(255)
  for maps in encodings.class_maps(logits, labels, tau=tau):
    assert not maps[:, 1].any()
    np.testing.assert_allclose(
        jnp.delete(maps, 1, axis=1).sum(-1), 1, rtol=1e-5
    )


def test_no_gradient_reaches_void_logits(rng):
  logits = jnp.asarray(rng.normal(size=(1, 2, 2, 3)), jnp.float32)
  labels = jnp.array([[[0, 255], [1, 2]]])
  weights = jnp.asarray(rng.normal(size=logits.shape), jnp.float32)
  gradient = jax.grad(
      lambda x: (encodings.class_maps(x, labels)[1] * weights).sum()
  )(logits)
  assert not gradient[0, 0, 1].any()
  assert gradient[0, 0, 0].any()
