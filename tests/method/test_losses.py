import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from adseg_jax.method import losses

FUNCTIONS = [
    pytest.param(function, id=f'{name}-{player}')
    for name, objective in losses.OBJECTIVES.items()
    for player, function in (
        ('discriminator', objective.discriminator),
        ('segmentor', objective.segmentor),
    )
]


def sigmoid(x):
  return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def log_softmax(x):
  x = np.asarray(x, np.float64)
  x = x - x.max(-1, keepdims=True)
  return x - np.log(np.exp(x).sum(-1, keepdims=True))


def call(function, *logits):
  """An objective of one or two players' logits."""
  count = function.__code__.co_argcount
  return jax.jit(function)(*logits[-count:])


def test_cross_entropy_by_hand():
  # Softmax of (ln 3, 0) is (3/4, 1/4).
  logits = jnp.log(jnp.array([[[3.0, 1.0], [3.0, 1.0], [3.0, 1.0]]]))
  value = losses.cross_entropy(logits, jnp.array([[0, 1, 255]]))
  np.testing.assert_allclose(
      value, [[np.log(4 / 3), np.log(4), 0]], atol=1e-6
  )


def test_cross_entropy_equals_numpy(rng):
  logits = rng.normal(size=(2, 5, 4, 7)).astype(np.float32) * 10
  labels = rng.integers(0, 7, (2, 5, 4))
  expected = -np.take_along_axis(
      log_softmax(logits), labels[..., None], -1
  )[..., 0]
  value = losses.cross_entropy(jnp.asarray(logits), jnp.asarray(labels))
  np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('void', [255, 3, -1])
def test_void_equals_slicing_the_pixels_away(rng, void):
  logits = jnp.asarray(rng.normal(size=(1, 4, 6, 3)), jnp.float32)
  labels = jnp.asarray(rng.integers(0, 3, (1, 4, 6))).at[:, :, 4:].set(void)

  def total(logits, labels):
    return losses.cross_entropy(logits, labels, void=void).sum()

  value, gradient = jax.value_and_grad(total)(logits, labels)
  kept, kept_gradient = jax.value_and_grad(total)(
      logits[:, :, :4], labels[:, :, :4]
  )
  np.testing.assert_allclose(value, kept, rtol=1e-6)
  np.testing.assert_allclose(gradient[:, :, :4], kept_gradient, rtol=1e-6)
  assert not gradient[:, :, 4:].any()


@pytest.mark.parametrize('dtype', ['uint8', 'int32'])
def test_label_types_agree(rng, dtype):
  logits = jnp.asarray(rng.normal(size=(1, 2, 3, 4)), jnp.float32)
  labels = jnp.array([[[0, 3, 255], [1, 2, 255]]], dtype)
  np.testing.assert_array_equal(
      losses.cross_entropy(logits, labels),
      losses.cross_entropy(logits, labels.astype('int16')),
  )


@pytest.mark.parametrize('target', [0.0, 1.0, 0.3])
def test_binary_cross_entropy_equals_numpy(target):
  logits = np.linspace(-15, 15, 61, dtype=np.float32)
  a = sigmoid(logits)
  expected = -(target * np.log(a) + (1 - target) * np.log1p(-a))
  value = losses.binary_cross_entropy(jnp.asarray(logits), target)
  np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('target,logit', [(1.0, 40.0), (0.0, -40.0)])
def test_the_cross_entropy_of_what_is_sure_is_small_and_has_a_gradient(
    target, logit
):
  value, slope = jax.value_and_grad(losses.binary_cross_entropy)(logit, target)
  np.testing.assert_allclose(value, np.exp(-40.0), rtol=1e-5)
  np.testing.assert_allclose(slope, -np.sign(logit) * np.exp(-40.0), rtol=1e-5)


@pytest.mark.parametrize('name,discriminator,segmentor', [
    # logits: real ln 3 (sigmoid 3/4), fake -ln 4 (sigmoid 1/5)
    ('bce', np.log(4 / 3) + np.log(5 / 4), np.log(5)),
    ('minimax', np.log(4 / 3) + np.log(5 / 4), -np.log(5 / 4)),
    ('lsgan', (np.log(3) - 1) ** 2 + np.log(4) ** 2, (np.log(4) + 1) ** 2),
    ('hinge', 0.0, np.log(4)),
])
def test_objectives_by_hand(name, discriminator, segmentor):
  objective = losses.OBJECTIVES[name]
  real, fake = jnp.log(3.0), -jnp.log(4.0)
  np.testing.assert_allclose(
      objective.discriminator(real, fake), discriminator, atol=1e-6
  )
  np.testing.assert_allclose(objective.segmentor(fake), segmentor, atol=1e-6)


def test_hinge_inside_its_margin():
  value = losses.OBJECTIVES['hinge'].discriminator(
      jnp.float32(0.25), jnp.float32(-0.5)
  )
  np.testing.assert_allclose(value, 0.75 + 0.5)


@pytest.mark.parametrize('function', FUNCTIONS)
def test_objective_gradients(function):
  logits = jnp.array([-2.3, -0.4, 0.3, 1.7])
  check_grads(lambda *x: call(function, *x), (logits, logits + 0.1), 1,
              modes=['rev'], atol=1e-2, rtol=1e-2)


def test_cross_entropy_gradients(rng):
  logits = jnp.asarray(rng.normal(size=(1, 3, 2, 4)), jnp.float32)
  labels = jnp.array([[[0, 3], [255, 1], [2, 2]]])
  check_grads(lambda x: losses.cross_entropy(x, labels), (logits,), 1,
              modes=['rev'], atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize('function', FUNCTIONS)
def test_objectives_are_finite_at_extreme_logits(function):
  logits = jnp.array([-100.0, 100.0])
  for real in (logits, -logits):
    value, pull = jax.vjp(lambda *x: call(function, *x), real, logits)
    assert np.isfinite(value).all()
    assert all(np.isfinite(g).all() for g in pull(jnp.ones_like(value)))


def test_cross_entropy_is_finite_at_extreme_logits():
  logits = jnp.array([[[[-100.0, 100.0]], [[100.0, -100.0]]]])
  labels = jnp.zeros((1, 2, 1), jnp.int32)
  value, gradient = jax.value_and_grad(
      lambda x: losses.cross_entropy(x, labels).sum()
  )(logits)
  np.testing.assert_allclose(value, 200)
  assert np.isfinite(gradient).all()


def test_each_player_wants_the_opposite():
  """What lowers the segmentor's loss raises the discriminator's on fakes."""
  for objective in losses.OBJECTIVES.values():
    fake = jnp.float32(0.2)
    ours = jax.grad(objective.segmentor)(fake)
    theirs = jax.grad(lambda f, o=objective: o.discriminator(0.0, f))(fake)
    assert ours < 0 < theirs


def test_smoothed_bce_has_another_target(rng):
  real, fake = jnp.asarray(rng.normal(size=(2, 9)) * 5, jnp.float32)
  smooth = losses.smoothed(losses.OBJECTIVES['bce'], 0.1)
  bce = losses.binary_cross_entropy
  np.testing.assert_allclose(
      smooth.discriminator(real, fake), bce(real, 0.9) + bce(fake, 0),
      rtol=1e-5, atol=1e-5,
  )


@pytest.mark.parametrize('name,real,slope', [
    # sigmoid - 0.9, 2 (real - 0.9), and -0.9 + 0.1 inside the margin.
    ('bce', 0.0, -0.4), ('bce', np.log(9), 0.0), ('minimax', 0.0, -0.4),
    ('lsgan', 0.9, 0.0), ('lsgan', 2.0, 2.2), ('hinge', 0.5, -0.8),
    ('hinge', 2.0, 0.1),
])
def test_smoothed_slopes_by_hand(name, real, slope):
  """Of true maps; those of fake ones and the segmentor's stay."""
  plain = losses.OBJECTIVES[name]
  smooth = losses.smoothed(plain, 0.1)
  pair = jnp.float32(real), jnp.float32(0.3)
  of_real, of_fake = jax.grad(smooth.discriminator, (0, 1))(*pair)
  np.testing.assert_allclose(of_real, slope, atol=1e-6)
  np.testing.assert_allclose(
      of_fake, jax.grad(plain.discriminator, 1)(*pair), rtol=1e-6
  )
  assert smooth.segmentor is plain.segmentor
  assert losses.smoothed(plain, 0.0) is plain


def test_hybrid_is_equation_1(rng):
  logits = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
  labels = rng.integers(0, 5, (2, 3, 4))
  labels[0, 0] = 255
  real, fake = rng.normal(size=(2, 2)).astype(np.float32)
  picked = np.take_along_axis(
      log_softmax(logits), np.minimum(labels, 4)[..., None], -1
  )[..., 0]
  expected = -picked[labels != 255].sum() - 0.7 * (
      -np.log(sigmoid(real)).sum() - np.log(1 - sigmoid(fake)).sum()
  )
  value = losses.hybrid(
      jnp.asarray(logits), jnp.asarray(labels), jnp.asarray(real),
      jnp.asarray(fake), 0.7,
  )
  np.testing.assert_allclose(value, expected, rtol=1e-5)
