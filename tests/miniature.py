"""The smallest networks that a step can train, and batches for them."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from adseg_jax.config import Adversary, Optimizer, Update
from adseg_jax.method.method import Method
from adseg_jax.method.state import initialize
from adseg_jax.networks.discriminators import FieldOfView
from adseg_jax.networks.layers import Conv
from adseg_jax.training.parallel import AXIS

CLASSES = 3
SIDE = 16
# Its direction is the gradient itself, and its state holds it.
PLAIN = Update(learning_rate=0.1, momentum=0.0)
HEAVY = Update(learning_rate=0.1, momentum=0.9)


class Mini(nn.Module):
  """A segmentor of one convolution, with what larger ones may have."""

  num_classes: int = CLASSES
  dropout: float = 0.0
  average: bool = False
  normalize: bool = False
  stride = 4

  @nn.compact
  def __call__(self, images, *, train):
    x = nn.Dropout(self.dropout, deterministic=not train)(images)
    if self.average:
      mean = self.variable('batch_stats', 'mean', jnp.zeros, ())
      if train:
        mean.value = 0.5 * mean.value + 0.5 * x.mean()
    x = Conv(
        self.num_classes, 3, self.stride, activation=None, name='conv1'
    )(x)
    if self.normalize:
      # Without the axis, each device would have statistics of its own.
      x = nn.BatchNorm(
          use_running_average=not train, axis_name=AXIS if train else None
      )(x)
    return x


def make_method(
    segmentor=None, discriminator=None, update=PLAIN, steps=100, **adversary
):
  """A method of Mini and a discriminator of two convolutions."""
  return Method(
      segmentor or Mini(), discriminator or FieldOfView(((2, 3),), ()),
      Adversary(**adversary), Optimizer(steps, update, update),
  )


def make_state(method, seed=0):
  return initialize(jax.random.key(seed), method, (SIDE, SIDE))


def make_batch(seed=0, count=2, void=0.2):
  """Noise; `void` of an image's pixels, or a share for each image, is void."""
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, CLASSES, (count, SIDE, SIDE)).astype(np.int32)
  share = np.broadcast_to(void, count)[:, None, None]
  labels[rng.random(labels.shape) < share] = 255
  images = rng.random((count, SIDE, SIDE, 3), np.float32)
  return {'image': images, 'label': labels}


def same(one, other):
  """Whether two trees hold the same bits."""
  def bits(leaf):
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
      leaf = jax.random.key_data(leaf)
    return np.asarray(leaf).tobytes()

  return jax.tree.structure(one) == jax.tree.structure(other) and all(
      bits(a) == bits(b)
      for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
  )


def assert_same_metrics(ours, theirs, tolerance):
  """Metrics of as many steps agree, by name; a tenth of it is absolute."""
  for one, other in zip(ours, theirs, strict=True):
    assert one.keys() == other.keys()
    for name in one:
      np.testing.assert_allclose(
          one[name], other[name], rtol=tolerance, atol=tolerance / 10,
          err_msg=name,
      )


def assert_close(ours, theirs, tolerance):
  """Trees agree, relative to the largest number in either."""
  scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(theirs))
  jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, atol=tolerance * scale),
      ours, theirs,
  )
