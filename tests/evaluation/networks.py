"""Small networks of every kind that see context, with random weights."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from lite import small_deeplab, small_fpn, small_resnet, small_unet

from adseg_jax.config import Data, Experiment
from adseg_jax.evaluation.inference import forward
from adseg_jax.evaluation.trained import Trained
from adseg_jax.networks.segmentors import Dilated8, FCN8s, FCN32s, MultiScale

NETWORKS = {
    'multiscale': MultiScale(3, 0.1),
    'multiscale, absolute colour': MultiScale(3, 0.1, False),
    'fcn32s': FCN32s(3, 0.02),
    'fcn8s': FCN8s(3, 0.02),
    'dilated8': Dilated8(3, 0.02),
    'dilated8, large': Dilated8(3, 0.02, 'large'),
    'fpn': small_fpn(),
    'fpn, resnet': small_fpn(encoder=small_resnet),
    'unet': small_unet(),
    'deeplabv3plus': small_deeplab(),
    'deeplabv3plus, resnet': small_deeplab(
        encoder=small_resnet, output_stride=8
    ),
}


def make_trained(segmentor, size=(0, 0)):
  """A segmentor whose probabilities are neither flat nor 0 and 1."""
  rng = np.random.default_rng(0)
  init = jax.jit(functools.partial(segmentor.init, train=False))
  variables = init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
  images = jnp.asarray(rng.random((1, 64, 64, 3)), jnp.float32)

  def noisy(leaf):
    noise = rng.normal(size=leaf.shape).astype(np.float32)
    return leaf + noise * (0.3 * np.std(leaf) + 0.01)

  params = jax.tree.map(noisy, variables['params'])
  apply = jax.jit(functools.partial(segmentor.apply, train=False))
  spread = float(apply(variables | {'params': params}, images).std())
  # The last layer: classes come out of it.
  for name in params:
    if name.startswith(('classifier', 'score')):
      params[name] = jax.tree.map(lambda x: x * (2 / spread), params[name])
  return Trained(
      Experiment(data=Data(size=size)), tuple('abc'), ((0, 0, 0),) * 3,
      segmentor, variables | {'params': params}, 1,
  )


def picture(rng, *size):
  """Noise, smooth at several scales."""
  total = 0
  for step in (1, 8, 64):
    small = [-(-side // step) for side in size]
    noise = rng.normal(size=(*small, 3)).repeat(step, 0).repeat(step, 1)
    total = total + noise[:size[0], :size[1]]
  return np.clip(128 + 40 * total, 0, 255).astype(np.uint8)


compiled = jax.jit(forward, static_argnames='segmentor')


def alone(trained, image):
  """Probabilities of one picture, with nothing around it: [h,w,C]."""
  return np.asarray(compiled(
      trained.variables, image[None], segmentor=trained.segmentor
  ))[0]
