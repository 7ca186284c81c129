"""One function computes both updates: pure, over an explicit state."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adseg_jax.config import Adversary
from adseg_jax.encodings import VOID
from adseg_jax.losses import cross_entropy
from adseg_jax.segmentors import CONSTANTS, downsample_labels, resize_logits
from adseg_jax.training.method import Method
from adseg_jax.training.optimizers import updated, without_frozen
from adseg_jax.training.players import meet
from adseg_jax.training.precision import cast
from adseg_jax.training.state import Network

# Squared norms of the two gradients at the segmentor's logits.
_SQUARES = ('segmentation_square', 'adversarial_square')
_PLAYERS_METRICS = (
    'adversarial_loss', 'discriminator_loss', 'd_real', 'd_fake',
    'd_real_accuracy', 'd_fake_accuracy', *_SQUARES,
)
# What the adversary adds to the metrics; nan before it starts.
ADVERSARY_METRICS = (*_PLAYERS_METRICS[:-2], 'gradient_ratio')
_NORMS = ('segmentor_gradient_norm', 'discriminator_gradient_norm')
_NAN = np.float32(np.nan)


def train_step(state, batch, *, method: Method, axis_name: str | None = None):
  """One step of both networks: one forward pass, two pullbacks, two updates.

  Sums and counts cross devices, never means, so that the result does not
  depend on how a batch is split. Where a loss or the norm of a gradient is not
  finite, neither network changes; where they are, no update that
  `validation.validate` lets pass leads from parameters below 1e18 to infinity.

  Args:
    state: TrainState.
    batch: 'image' [B,H,W,3] float in 0..1 and 'label' [B,H,W] int, void 255:
      this device's part.
    method: static.
    axis_name: the mapped axis of devices, or None.

  Returns:
    (TrainState, metrics): float32 scalars over the whole batch. The
    adversary's are absent where lambda is 0, and nan before it starts;
    'dropped' is 1 where the updates were dropped.
  """
  learns = turns(state.step, method.adversary)
  gradients, losses, model_state, metrics = _local_gradients(
      state, batch, learns, method, axis_name
  )
  gradients = (
      without_frozen(gradients[0], method.optimizer.segmentor),
      without_frozen(gradients[1], method.optimizer.discriminator),
  )
  # Together, so that they cross devices in one all-reduce.
  gradients, losses, metrics, model_state = _sum(
      (gradients, losses, metrics, model_state), axis_name
  )
  metrics = _finish(metrics, gradients, method.adversary)
  model_state = jax.tree.map(lambda x: x / _devices(axis_name), model_state)
  finite = _finite((losses, [metrics[n] for n in _NORMS if n in metrics],
                    model_state))
  segmentor, discriminator = _moved(
      state, gradients, (model_state, {}), learns, finite, method.optimizer
  )
  return state.replace(
      step=state.step + 1, segmentor=segmentor, discriminator=discriminator
  ), metrics | {'dropped': 1 - finite.astype(jnp.float32)}


def _moved(state, gradients, model_states, learns, finite, optimizer):
  """Both networks after their updates; one that does not learn stays."""
  def move(network, gradient, model_state, update):
    network = network.replace(model_state=network.model_state | model_state)
    return updated(network, gradient, update, state.step, optimizer.steps)

  def choose(learn, network, *rest):
    # A branch: a choice between old and new parameters, leaf by leaf, would be
    # more passes over them than the update itself.
    return _when(learn, lambda: jax.lax.cond(
        finite, lambda: move(network, *rest), lambda: network
    ), lambda: network)

  return map(
      choose, learns, (state.segmentor, state.discriminator), gradients,
      model_states, (optimizer.segmentor, optimizer.discriminator),
  )


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
  fights = adversary.weight > 0
  begun = fights and (step >= adversary.start if adversary.start else True)
  if not adversary.alternate_every:
    return True, begun
  # The control idles when its adversary would learn: the same schedule.
  phase = (step - adversary.start) // adversary.alternate_every % 2
  segmentor = (phase == 0) | (step < adversary.start)
  return segmentor, (phase == 1) & begun if fights else False


def _when(condition, then, otherwise):
  """lax.cond, or a plain choice where the condition is a Python bool."""
  if isinstance(condition, bool):
    return then() if condition else otherwise()
  return jax.lax.cond(condition, then, otherwise)


def _finite(tree):
  """Whether every number of a tree is."""
  return functools.reduce(
      jnp.logical_and,
      [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)],
  )


def _finish(metrics, gradients, adversary: Adversary):
  """Metrics of sums over all devices."""
  segmentor, discriminator = gradients
  metrics['segmentor_gradient_norm'] = optax.tree.norm(segmentor)
  if adversary.weight:
    metrics['discriminator_gradient_norm'] = optax.tree.norm(discriminator)
    segmentation, adversarial = (metrics.pop(name) for name in _SQUARES)
    # A batch of void has no segmentation gradient: 0, not nan.
    least = np.finfo(np.float32).tiny
    metrics['gradient_ratio'] = jnp.sqrt(
        adversarial / jnp.maximum(segmentation, least)
    )
  return metrics


def _local_gradients(state, batch, learns, method, axis_name):
  """((segmentor's, discriminator's gradient), losses, model state, metrics).

  All are this device's share: the sum over devices is the result. Each loss
  is pulled back to the logits first, where the two parts of the segmentor's
  can be compared; their sum goes on to its parameters.
  """
  adversary = method.adversary
  labels = downsample_labels(batch['label'], method.segmentor.stride)
  average = _make_average(labels, axis_name)
  logits, pull_logits, model_state = jax.vjp(
      _make_forward(state, batch['image'], method, axis_name),
      state.segmentor.params, has_aux=True,
  )
  segmentation, pull, metrics = jax.vjp(
      lambda logits: _segmentation(logits, labels, average, method), logits,
      has_aux=True,
  )
  wanted, = pull(jnp.float32(1))

  def pull_segmentor(gradient):
    return pull_logits(gradient)[0]

  def alone():
    return (
        (_when(learns[0], lambda: pull_segmentor(wanted),
               lambda: _zeros(state.segmentor)),
         _zeros(state.discriminator)),
        (jnp.float32(0),) * 2,
        dict.fromkeys(_PLAYERS_METRICS if adversary.weight else (), _NAN),
    )

  def against():
    meeting = meet(
        logits, state.discriminator.params, labels, batch['image'], average,
        method, together=not adversary.alternate_every,
    )
    gradients, squares = _pulled(
        meeting, pull_segmentor, wanted, learns, state
    )
    return gradients, meeting.losses, meeting.metrics | squares

  if adversary.weight and adversary.start:
    gradients, losses, more = jax.lax.cond(
        state.step < adversary.start, alone, against
    )
  else:
    gradients, losses, more = against() if adversary.weight else alone()
  return gradients, (segmentation, *losses), model_state, metrics | more


def _pulled(meeting, pull_segmentor, wanted, learns, state):
  """Both networks' gradients, and what compares the segmentor's two losses.

  Args:
    meeting: the batch before the discriminator.
    pull_segmentor: gradient at the logits -> the segmentor's.
    wanted: gradient of the cross-entropy at the logits.
    learns: which networks learn.
    state: TrainState.
  """
  def segmentor():
    fooling = meeting.fooling()
    squares = (wanted**2).sum(), (fooling**2).sum()
    return pull_segmentor(wanted + fooling), squares

  gradient, squares = _when(
      learns[0], segmentor, lambda: (_zeros(state.segmentor), (_NAN, _NAN))
  )
  discriminator = _when(
      learns[1], meeting.learning, lambda: _zeros(state.discriminator)
  )
  return (gradient, discriminator), dict(zip(_SQUARES, squares, strict=True))


def _zeros(network: Network):
  return jax.tree.map(jnp.zeros_like, network.params)


def _make_forward(state, images, method, axis_name):
  """The segmentor as a function of its parameters: (logits, model state)."""
  key = jax.random.fold_in(state.key, state.step)
  if axis_name:
    key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))

  def forward(params):
    params = cast(params, method.precision)
    logits, model_state = method.segmentor.apply(
        {'params': params, **state.segmentor.model_state}, images,
        # A mean over devices would move even a constant, by rounding.
        train=True, mutable=[
            name for name in state.segmentor.model_state if name != CONSTANTS
        ],
        rngs={'dropout': key},
    )
    return cast(logits, 'float32'), model_state

  return forward


def _make_average(labels, axis_name):
  """Terms of a loss -> this device's share of their mean over the batch.

  Terms are per pixel [B,h,w], void left out, or per image [B].
  """
  valid = labels != VOID
  pixels = jnp.maximum(_sum(valid.sum(), axis_name), 1).astype(jnp.float32)
  images = np.float32(labels.shape[0] * _devices(axis_name))

  def average(terms):
    if terms.ndim == labels.ndim:
      return jnp.where(valid, terms, 0).sum() / pixels
    return terms.sum() / images

  return average


def _devices(axis_name) -> int:
  return jax.lax.axis_size(axis_name) if axis_name else 1


def _sum(tree, axis_name):
  # XLA on CPU copies even what it sums over one device.
  return jax.lax.psum(tree, axis_name) if _devices(axis_name) > 1 else tree


def _segmentation(logits, labels, average, method):
  """(the first term of equation 1, metrics)."""
  terms = cross_entropy(logits, labels)
  if method.class_weights:
    weights = jnp.asarray(method.class_weights, terms.dtype)
    # Void has no weight to look up, and no loss.
    terms = terms * weights.at[labels].get(mode='fill', fill_value=0)
  metrics = {
      'segmentation_loss': average(terms),
      'pixel_accuracy': average(jnp.argmax(logits, -1) == labels),
  }
  if method.adversary.reduction == 'sum':
    return average(terms.sum((1, 2))), metrics
  return metrics['segmentation_loss'], metrics
