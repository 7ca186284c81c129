import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lite import small_deeplab, small_fpn
from miniature import CLASSES, make_method

from adseg_jax.config import Update
from adseg_jax.method.state import initialize
from adseg_jax.method.step import gradients, train_step
from adseg_jax.method.turns import Turn
from adseg_jax.networks.discriminators import (
    FieldOfView,
    LargeFOV,
    Patch,
    TwoBranch,
)
from adseg_jax.networks.segmentors import Dilated8, MultiScale, UNet
from adseg_jax.networks.segmentors.resnet import ResNet, stages

SIDE = 32
ALL = Turn(segmentor=True, discriminator=True, adversary=True)
ADAM = Update(name='adam', learning_rate=1e-3)
THIN = functools.partial(ResNet, stages((1, 1, 1, 1), False))
METHODS = {
    'multiscale': make_method(
        MultiScale(CLASSES, width=0.1), TwoBranch(width=0.1), weight=0.1,
        encoding='scaling',
    ),
    'dilated8': make_method(
        Dilated8(CLASSES, width=0.05, dropout=0.0), LargeFOV(width=0.05),
        weight=0.1, encoding='product',
    ),
    'patch': make_method(discriminator=Patch(width=0.1), weight=0.1),
    'fpn': make_method(small_fpn(CLASSES), weight=0.1),
    'unet': make_method(UNet(CLASSES, 0.1, THIN), weight=0.1),
    'deeplabv3plus': make_method(
        small_deeplab(CLASSES, encoder=THIN), weight=0.1
    ),
}


def batches(steps, count=4):
  """Noise whose brightness tells the class, in quarters of a picture."""
  rng = np.random.default_rng(0)
  for _ in range(steps):
    labels = rng.integers(0, CLASSES, (count, 2, 2)).astype(np.int32)
    labels = labels.repeat(SIDE // 2, 1).repeat(SIDE // 2, 2)
    noise = rng.random((count, SIDE, SIDE, 3), np.float32)
    yield {'image': 0.3 * labels[..., None] + 0.3 * noise, 'label': labels}


def history(state, method, steps):
  take = jax.jit(functools.partial(train_step, method=method))
  metrics = []
  for batch in batches(steps):
    state, values = take(state, batch)
    metrics.append(values)
  return state, {
      name: np.array([float(values[name]) for values in metrics])
      for name in metrics[0]
  }


def in_bfloat16(method):
  return dataclasses.replace(method, precision='bfloat16')


@pytest.mark.slow
def test_losses_of_100_steps_stay_near_those_of_float32():
  """Measured means of the differences: 0.0023, 0.0059 and 0.0090."""
  method = make_method(
      MultiScale(CLASSES, 0.1, False), FieldOfView(((16, 3), (16, 3)), (0,)),
      ADAM, weight=0.1, encoding='scaling',
  )
  start = initialize(jax.random.key(0), method, (SIDE, SIDE))
  _, plain = history(start, method, 100)
  state, short = history(start, in_bfloat16(method), 100)
  for loss, bound in (
      ('segmentation_loss', 0.007), ('discriminator_loss', 0.018),
      ('adversarial_loss', 0.03),
  ):
    assert 0 < np.abs(short[loss] - plain[loss]).mean() < bound, loss
  assert not short['dropped'].any()
  assert jnp.bfloat16 not in {leaf.dtype for leaf in jax.tree.leaves(state)}


@pytest.mark.parametrize('method,kind', [
    (METHODS['multiscale'], 'f32'),
    *((in_bfloat16(method), 'bf16') for method in METHODS.values()),
], ids=['float32', *METHODS])
def test_networks_compute_in_bfloat16_and_losses_do_not(method, kind):
  state = initialize.eval_shape(jax.random.key(0), method, (SIDE, SIDE))
  program = jax.jit(
      lambda state, batch: gradients(state, batch, method, ALL, None)
  ).lower(state, next(batches(1))).as_text()
  assert kinds('convolution', program) == {kind}
  # Logarithms and exponentials are those of the losses.
  assert kinds('log', program) | kinds('exponential', program) == {'f32'}


def kinds(operation, program):
  """What an operation gives, anywhere in a program."""
  return set(re.findall(
      rf'stablehlo\.{operation}\b.*tensor<(?:\d+x)*(\w+)>', program
  ))
