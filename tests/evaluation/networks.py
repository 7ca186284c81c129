"""Small networks of every kind that see context, with random weights."""

import jax
import numpy as np
from lite import small_deeplab, small_fpn, small_resnet, small_unet
from variables import filled

from adseg_jax.config import Experiment
from adseg_jax.evaluation.inference import forward
from adseg_jax.evaluation.trained import Trained
from adseg_jax.networks.segmentors import Dilated8, FCN8s, MultiScale

# Every head, encoder and way to see context once.
NETWORKS = {
    'multiscale': MultiScale(3, 0.1),
    'multiscale, absolute colour': MultiScale(3, 0.1, False),
    'fcn8s': FCN8s(3, 0.05),
    'dilated8, large': Dilated8(3, 0.05, 'large'),
    'fpn': small_fpn(),
    'unet': small_unet(),
    'deeplabv3plus, resnet': small_deeplab(
        encoder=small_resnet, output_stride=8
    ),
}
FIRST = 61, 37  # size of the picture that the last layer is scaled by


def make_trained(segmentor):
  """A segmentor whose probabilities are neither flat nor 0 and 1."""
  rng = np.random.default_rng(0)
  variables = filled(segmentor)

  def calm(path, leaf):
    """Variables that leave the picture its say."""
    leaf, names = np.asarray(leaf), [key.key for key in path]
    if names[-1] != 'kernel':
      return {'scale': 1, 'mean': 0.5}.get(names[-1], 0) + 0.1 * leaf
    if 'context' in names:  # about the identity, as it starts
      leaf, (*_, i, o) = 0.3 * leaf, leaf.shape
      passed = np.eye(3, dtype='f').repeat(i // 3, 0).repeat(o // 3, 1)
      leaf[len(leaf) // 2, len(leaf) // 2] += passed / (o // 3)
    return leaf

  variables = jax.tree_util.tree_map_with_path(calm, variables)
  params = variables['params']
  trained = Trained(
      Experiment(), tuple('abc'), ((0, 0, 0),) * 3, segmentor, variables, 1
  )
  logits = np.log(alone(trained, picture(rng, *FIRST)) + 1e-30)
  spread = (logits - logits.mean(-1, keepdims=True)).std()
  # The last layer: classes come out of it.
  for name in params:
    if name.startswith(('classifier', 'score')):
      params[name] = jax.tree.map(lambda x: x * (2 / spread), params[name])
  return trained


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
