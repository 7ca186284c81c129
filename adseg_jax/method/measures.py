"""What a step logs: sums over a batch, and what follows from them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adseg_jax.networks.segmentors.resolution import sides

# What the adversary adds; nan where it is not known.
ADVERSARY_METRICS = (
    'adversarial_loss', 'discriminator_loss', 'd_real', 'd_fake',
    'd_real_accuracy', 'd_fake_accuracy', 'gradient_ratio',
)
_NAN = np.float32(np.nan)


def certainty(real, fake, objective, mean) -> dict:
  """How sure and how right the discriminator is, from its logits."""
  sure_real, sure_fake = map(objective.probability, (real, fake))
  return {
      'd_real': mean(sure_real),
      'd_fake': mean(sure_fake),
      'd_real_accuracy': mean(jnp.float32(sure_real > 0.5)),
      'd_fake_accuracy': mean(jnp.float32(sure_fake < 0.5)),
  }


def taps(labels, segmentor):
  """Two zeros of the logits' shape, for labels [B,H,W]; see `squares`."""
  size = sides(labels.shape[1:], segmentor.stride)
  zero = jnp.zeros((len(labels), *size, segmentor.num_classes))
  return zero, zero


def squares(wanted, fooling, known: bool) -> dict:
  """Squared norms of the two parts of the gradient at the logits [B,h,w,C].

  The cross-entropy's, and lambda times the adversary's, if there is one.
  """
  if not known:
    return {}
  return {'wanted': (wanted**2).sum(), 'fooling': (fooling**2).sum()}


def complete(metrics: dict, gradients: dict, adversary, lambda_=None) -> dict:
  """The metrics of a step, the same names whosever turn it is.

  From means and gradients over all devices, and lambda where it moves. Scalars;
  the norm of an idle network's gradient is 0.
  """
  fights = adversary.weight > 0
  names = ['segmentor'] + ['discriminator'] * fights
  norms = {
      f'{name}_gradient_norm': optax.tree.norm(gradients[name])
      if name in gradients else jnp.float32(0) for name in names
  }
  known = dict(metrics)
  if 'wanted' in known:
    # A batch of void has no segmentation gradient: 0, not nan.
    least = jnp.maximum(known.pop('wanted'), np.finfo(np.float32).tiny)
    known['gradient_ratio'] = jnp.sqrt(known.pop('fooling') / least)
  if lambda_ is not None:
    known['lambda'] = lambda_
  rare = ('r1',) * (adversary.r1 > 0)
  unknown = dict.fromkeys((*ADVERSARY_METRICS, *rare) * fights, _NAN)
  return unknown | known | norms


def finite(losses, model_state, metrics):
  """Whether both losses, a new model state and the gradients' norms are."""
  norms = [metrics[name] for name in metrics if name.endswith('_gradient_norm')]
  return functools.reduce(jnp.logical_and, [
      jnp.isfinite(leaf).all()
      for leaf in jax.tree.leaves((losses, model_state, norms))
  ])
