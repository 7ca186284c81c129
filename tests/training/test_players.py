"""One pullback of the discriminator against the plain two."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from miniature import (
    CLASSES,
    SIDE,
    assert_close,
    make_batch,
    make_method,
    same,
)

from adseg_jax.discriminators import LargeFOV, Patch, SmallFOV, TwoBranch
from adseg_jax.losses import OBJECTIVES
from adseg_jax.segmentors import downsample_labels
from adseg_jax.training import players, step


class Biased(nn.Module):
  """A discriminator whose logits all lie about one number."""

  bias: float = 0.0

  @nn.compact
  def __call__(self, maps, images):
    del images
    x = nn.relu(nn.Dense(4, name='hidden')(maps)).mean((1, 2))
    return nn.Dense(1, name='logit')(x)[:, 0] + self.bias


class Confident(nn.Module):
  """How pure a map's colours are, times a hundred: it tells hard from soft."""

  @nn.compact
  def __call__(self, maps, images):
    del images
    scale = self.param('scale', nn.initializers.constant(100.0), (1,))
    return scale * ((maps**2).sum((1, 2, 3)) / maps.sum((1, 2, 3)) - 0.95)


NETWORKS = {
    'two_branch': TwoBranch(width=0.05), 'large_fov': LargeFOV(width=0.02),
    'small_fov': SmallFOV(width=0.02),
}
CASES = [
    *((network, encoding, 'bce') for network in NETWORKS.values()
      for encoding in ('basic', 'product', 'scaling')),
    *((Biased(bias), 'basic', objective) for bias in (-100.0, 0.0, 100.0)
      for objective in OBJECTIVES),
]


def both(method, together, seed=0):
  """(fooling, learning) of one batch, compiled."""
  rng = np.random.default_rng(seed)
  batch = make_batch(seed, count=3)
  logits = 3 * rng.standard_normal((3, SIDE // 4, SIDE // 4, CLASSES), 'f')
  labels = downsample_labels(batch['label'], 4)
  depth = CLASSES * (3 if method.adversary.encoding == 'product' else 1)
  params = method.discriminator.init(
      jax.random.key(seed), jnp.zeros((*logits.shape[:3], depth)),
      batch['image'],
  )['params']

  @jax.jit
  def gradients(logits, params):
    meeting = players.meet(
        logits, params, labels, batch['image'],
        step._make_average(labels, None), method, together=together,
    )
    return meeting.fooling(), meeting.learning(), meeting.losses

  return gradients(logits, params)


@pytest.mark.parametrize(('network', 'encoding', 'objective'), CASES)
def test_one_pullback_equals_two(network, encoding, objective):
  method = make_method(
      discriminator=network, encoding=encoding, objective=objective,
      weight=0.7, tau=0.6,
  )
  ours, plain = (both(method, together) for together in (True, False))
  for one, other in zip(ours, plain, strict=True):
    assert_close(one, other, 1e-5)
  assert optax.tree.norm(plain[1]) > 1e-3


def test_a_discriminator_beyond_its_margin_moves_by_the_floor_alone():
  method = make_method(
      discriminator=Confident(), objective='hinge', weight=0.7
  )
  ours, plain = (both(method, together) for together in (True, False))
  assert_close(ours[0], plain[0], 1e-5)
  assert optax.tree.norm(plain[0]) > 1
  assert optax.tree.norm(plain[1]) == 0
  assert 0 < optax.tree.norm(ours[1]) < 1e-4


def test_a_logit_per_pixel_takes_two_pullbacks():
  method = make_method(discriminator=Patch(width=0.05), weight=0.7)
  assert same(both(method, True), both(method, False))
