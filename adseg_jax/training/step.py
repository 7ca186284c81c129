"""One function computes both updates: pure, over an explicit state."""

import jax
import jax.numpy as jnp
import optax

from adseg_jax import encodings
from adseg_jax.config import Adversary, Update
from adseg_jax.encodings import VOID
from adseg_jax.losses import OBJECTIVES, cross_entropy
from adseg_jax.pyramid import local_normalize, standardize
from adseg_jax.segmentors import CONSTANTS, downsample_labels, resize_logits
from adseg_jax.training.method import Method
from adseg_jax.training.optimizers import (
    direction,
    learning_rate,
    without_frozen,
)
from adseg_jax.training.state import Network, TrainState

# What the adversary adds to the metrics; nan before it starts.
ADVERSARY_METRICS = (
    'adversarial_loss', 'discriminator_loss', 'd_real', 'd_fake'
)


def train_step(state, batch, *, method: Method, axis_name: str | None = None):
  """One step of both networks: one forward pass, two pullbacks, two updates.

  Sums and counts cross devices, never means, so that the result does not
  depend on how a batch is split.

  Args:
    state: TrainState.
    batch: 'image' [B,H,W,3] float in 0..1 and 'label' [B,H,W] int, void 255:
      this device's part.
    method: static.
    axis_name: the mapped axis of devices, or None.

  Returns:
    (TrainState, metrics): float32 scalars over the whole batch. The
    adversary's are absent where lambda is 0, and nan before it starts.
  """
  learns = turns(state.step, method.adversary)
  gradients, model_state, metrics = _local_gradients(
      state, batch, learns, method, axis_name
  )
  gradients = tuple(
      without_frozen(gradient, update) for gradient, update in zip(
          gradients,
          (method.optimizer.segmentor, method.optimizer.discriminator),
          strict=True,
      )
  )
  gradients, metrics = _sum((gradients, metrics), axis_name)
  segmentor_gradient, discriminator_gradient = gradients
  metrics['segmentor_gradient_norm'] = optax.tree.norm(segmentor_gradient)
  if method.adversary.weight:
    metrics['discriminator_gradient_norm'] = optax.tree.norm(
        discriminator_gradient
    )
  if axis_name:
    model_state = jax.lax.pmean(model_state, axis_name)
  segmentor = state.segmentor.replace(
      model_state=state.segmentor.model_state | model_state
  )
  at = state.step, method.optimizer.steps
  return state.replace(
      step=state.step + 1,
      segmentor=_when(
          learns[0],
          lambda: updated(
              segmentor, segmentor_gradient, method.optimizer.segmentor, *at
          ),
          lambda: state.segmentor,
      ),
      discriminator=_when(
          learns[1],
          lambda: updated(
              state.discriminator, discriminator_gradient,
              method.optimizer.discriminator, *at,
          ),
          lambda: state.discriminator,
      ),
  ), metrics


def eval_step(state, images, *, method: Method):
  """[B,H,W,3] in 0..1 -> the likeliest class of each pixel, int32 [B,H,W]."""
  network = state.segmentor
  logits = method.segmentor.apply(
      {'params': network.params, **network.model_state}, images, train=False
  )
  return jnp.argmax(resize_logits(logits, images.shape[1:3]), -1)


def turns(step, adversary: Adversary):
  """Which networks learn at a step: (segmentor, discriminator).

  Each is a Python bool where it never changes, so that nothing of an idle
  network is compiled; otherwise a traced one. The segmentor goes first:
  training the adversary first destabilised training (Luc et al. 2016, as
  quoted by later papers).
  """
  if adversary.weight == 0:
    return True, False
  begun = step >= adversary.start if adversary.start else True
  if not adversary.alternate_every:
    return True, begun
  phase = (step - adversary.start) // adversary.alternate_every % 2
  return (phase == 0) | (step < adversary.start), (phase == 1) & begun


def updated(network: Network, gradient, update: Update, step, steps: int):
  """The network after one update with its gradient."""
  move, optimizer_state = direction(update).update(
      gradient, network.optimizer_state, network.params
  )
  rate = learning_rate(update, step, steps)
  return network.replace(
      params=jax.tree.map(lambda p, m: p - rate * m, network.params, move),
      optimizer_state=optimizer_state,
  )


def _when(condition, then, otherwise):
  """lax.cond, or a plain choice where the condition is a Python bool."""
  if isinstance(condition, bool):
    return then() if condition else otherwise()
  return jax.lax.cond(condition, then, otherwise)


def _local_gradients(state, batch, learns, method, axis_name):
  """((segmentor's, discriminator's gradient), model state, metrics).

  All are this device's share: the sum over devices is the result.
  """
  adversary = method.adversary
  losses = _make_losses(state, batch, method, axis_name)

  def gradients(adversarial):
    _, pull, (model_state, metrics) = jax.vjp(
        lambda segmentor, discriminator: losses(
            segmentor, discriminator, adversarial
        ),
        state.segmentor.params, state.discriminator.params, has_aux=True,
    )
    pulled = tuple(
        _when(learn, lambda i=i: pull(_one_of_two(i))[i], lambda n=n: _zeros(n))
        for i, (learn, n) in enumerate(
            zip(learns, (state.segmentor, state.discriminator), strict=True)
        )
    )
    return pulled, model_state, metrics

  if adversary.weight == 0 or adversary.start == 0:
    return gradients(adversary.weight > 0)
  return jax.lax.cond(
      state.step < adversary.start,
      lambda: gradients(False), lambda: gradients(True),
  )


def _one_of_two(index: int):
  """Cotangents that pull one of the two losses back, and not the other.

  Half of what a pullback returns belongs to the other player; it is never
  used, and the compiler drops it. This is all that keeps one network's loss
  out of the other's gradient.
  """
  return tuple(jnp.float32(i == index) for i in range(2))


def _zeros(network: Network):
  return jax.tree.map(jnp.zeros_like, network.params)


def _make_losses(state, batch, method, axis_name):
  """Both losses as a function of both networks' parameters."""
  images = batch['image']
  labels = downsample_labels(batch['label'], method.segmentor.stride)
  average = _make_average(labels, axis_name)
  key = jax.random.fold_in(state.key, state.step)
  if axis_name:
    key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))

  def losses(segmentor_params, discriminator_params, adversarial: bool):
    logits, model_state = method.segmentor.apply(
        {'params': segmentor_params, **state.segmentor.model_state}, images,
        # A mean over devices would move even a constant, by rounding.
        train=True, mutable=[
            name for name in state.segmentor.model_state if name != CONSTANTS
        ],
        rngs={'dropout': key},
    )
    segmentor, metrics = _segmentation(logits, labels, average, method)
    discriminator = jnp.float32(0)
    if adversarial:
      weighted, discriminator, more = _adversarial(
          logits, labels, images, discriminator_params, average, method
      )
      segmentor, metrics = segmentor + weighted, metrics | more
    elif method.adversary.weight:
      metrics |= dict.fromkeys(ADVERSARY_METRICS, jnp.float32(jnp.nan))
    return (segmentor, discriminator), (model_state, metrics)

  return losses


def _make_average(labels, axis_name):
  """Terms of a loss -> this device's share of their mean over the batch.

  Terms are per pixel [B,h,w], void left out, or per image [B].
  """
  valid = labels != VOID
  pixels = jnp.maximum(_sum(valid.sum(), axis_name), 1).astype(jnp.float32)
  images = _sum(jnp.float32(labels.shape[0]), axis_name)

  def average(terms):
    if terms.ndim == labels.ndim:
      return jnp.where(valid, terms, 0).sum() / pixels
    return terms.sum() / images

  return average


def _sum(tree, axis_name):
  return jax.lax.psum(tree, axis_name) if axis_name else tree


def _segmentation(logits, labels, average, method):
  """(the first term of equation 1, metrics)."""
  terms = cross_entropy(logits, labels)
  metrics = {
      'segmentation_loss': average(terms),
      'pixel_accuracy': average(jnp.argmax(logits, -1) == labels),
  }
  if method.adversary.reduction == 'sum':
    return average(terms.sum((1, 2))), metrics
  return metrics['segmentation_loss'], metrics


def _adversarial(logits, labels, images, params, average, method):
  """(lambda x the segmentor's loss, the discriminator's loss, metrics)."""
  adversary = method.adversary
  objective = OBJECTIVES[adversary.objective]
  tau = adversary.tau if adversary.encoding == 'scaling' else None
  discriminate = _make_discriminate(images, params, method)
  real, fake = (
      discriminate(maps)
      for maps in encodings.class_maps(logits, labels, tau=tau)
  )
  metrics = {
      'adversarial_loss': average(objective.segmentor(fake)),
      'discriminator_loss': average(objective.discriminator(real, fake)),
      'd_real': average(objective.probability(real)),
      'd_fake': average(objective.probability(fake)),
  }
  return (
      adversary.weight * metrics['adversarial_loss'],
      metrics['discriminator_loss'],
      metrics,
  )


def _make_discriminate(images, params, method):
  """Class maps -> the discriminator's logits, in the method's encoding."""
  encode = encodings.basic
  if method.adversary.encoding == 'product':
    encode = encodings.product
    normalized = local_normalize(images)
  else:
    normalized = standardize(images)

  def discriminate(maps):
    return method.discriminator.apply(
        {'params': params}, encode(maps, normalized), normalized
    )

  return discriminate
