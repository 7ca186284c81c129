"""What images without labels teach: against plain sums, term by term."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from miniature import (
    CLASSES,
    HEAVY,
    Mini,
    assert_close,
    assert_same_metrics,
    make_batch,
    make_state,
    same,
)
from miniature import make_method as miniature

from adseg_jax.config import LESSONS, Unlabelled
from adseg_jax.errors import UserError
from adseg_jax.method import unlabelled, views
from adseg_jax.method.step import train_step
from adseg_jax.method.turns import Turn, turns
from adseg_jax.networks.discriminators import LargeFOV, Patch
from adseg_jax.networks.pyramid import standardize
from adseg_jax.networks.segmentors import downsample_labels
from adseg_jax.training import parallel

LAMBDA = 0.5
BOTH = Turn(True, True, True)


class Greedy(nn.Module):
  """A logit for each pixel: how much more of the first class it has."""

  @nn.compact
  def __call__(self, maps, images):
    del images
    slope = self.param('slope', lambda _: jnp.float32(4))
    return slope * (maps[..., 0] - maps[..., 1])


def make_method(*, average=0.0, discriminator=None, adversary=None, **options):
  return dataclasses.replace(
      miniature(
          discriminator=discriminator or Greedy(), weight=LAMBDA,
          **(adversary or {}),
      ), average=average, unlabelled=Unlabelled(**options),
  )


def make_batches(count=2, void=0.2, seed=0):
  """As `make_batch`, with images without labels; some lie beyond a rim."""
  others = make_batch(seed + 100, count, void)
  inside = np.where(others['label'] == 255, 255, 0).astype(np.int32)
  inside[:, :4] = 255
  return make_batch(seed, count, void) | {
      'unlabelled_image': others['image'], 'unlabelled_label': inside
  }


@functools.cache
def program(method, turn):
  return jax.jit(functools.partial(train_step, method=method, turn=turn))


def step(method, state=None, batch=None, turn=BOTH):
  """(gradients of both networks, metrics) of a step."""
  state, metrics = program(method, turn)(
      state or make_state(method), batch or make_batches()
  )
  return [
      optax.tree.get(network.optimizer_state, 'trace')
      for network in (state.segmentor, state.discriminator)
  ], metrics


def added(method, state=None):
  """What lessons add to the gradients of both networks, and metrics."""
  without = dataclasses.replace(method, unlabelled=Unlabelled())
  (more, metrics), (less, _) = (step(one, state) for one in (method, without))
  return jax.tree.map(jnp.subtract, more, less), metrics


def seen(batch):
  """(images, what is inside) of the batch without labels."""
  labels = downsample_labels(batch['unlabelled_label'], Mini.stride)
  return batch['unlabelled_image'], np.asarray(labels) == 0


def logits_of(params, images):
  return Mini().apply({'params': params}, images, train=True)


def mean(terms, inside):
  """Over what is inside, one pixel after another."""
  return sum(
      terms[place] for place in zip(*np.nonzero(inside), strict=True)
  ) / inside.sum()


def nats(logits, label):
  return jnp.log(jnp.exp(logits).sum()) - logits[label]


def judged(state, maps):
  return state.discriminator.params['slope'] * (maps[..., 0] - maps[..., 1])


def check(method, loss, state, known, second=None):
  """The gradients and the metrics are those of plain losses.

  Args:
    method: of one lesson.
    loss: function of the segmentor's parameters and the state.
    state: the first.
    known: metrics that it has.
    second: function of the discriminator's parameters; None: it learns nothing.
  """
  (found, other), metrics = added(method, state)
  wanted = jax.grad(loss)(state.segmentor.params, state)
  assert max(float(jnp.abs(x).max()) for x in jax.tree.leaves(wanted)) > 1e-3
  assert_close(found, wanted, 1e-4)
  slope = jax.grad(second or (lambda _: 0.0))(state.discriminator.params)
  assert_close(other['slope'] + 1, slope['slope'] + 1, 1e-6)
  for name, value in known.items():
    np.testing.assert_allclose(metrics[name], value, rtol=1e-5, err_msg=name)


def test_the_adversarial_loss():
  images, inside = seen(make_batches())
  method = make_method(adversarial=0.3)
  state = make_state(method)

  def plain(params, state, factor=0.3 * LAMBDA):
    maps = jax.nn.softmax(logits_of(params, images)) * inside[..., None]
    return factor * mean(jax.nn.softplus(-judged(state, maps)), inside)

  maps = jax.nn.softmax(logits_of(state.segmentor.params, images))
  purity = maps[..., 0] - maps[..., 1]
  check(method, plain, state, {
      'unlabelled_adversarial_loss': plain(state.segmentor.params, state, 1.0),
      'd_unlabelled': mean(jax.nn.sigmoid(judged(state, maps)), inside),
  }, lambda params: 0.3 * mean(
      jax.nn.softplus(params['slope'] * purity), inside
  ))


def test_one_logit_an_image_can_be_fooled():
  images, inside = seen(make_batches())
  network = LargeFOV(width=0.02)
  method = make_method(adversarial=1.0, discriminator=network)

  def plain(params, state):
    maps = jax.nn.softmax(logits_of(params, images)) * inside[..., None]
    fake = network.apply(
        {'params': state.discriminator.params}, maps, standardize(images)
    )
    return LAMBDA * jax.nn.softplus(-fake).mean()

  (found, _), _ = added(method)
  state = make_state(method)
  assert_close(found, jax.grad(plain)(state.segmentor.params, state), 1e-3)


@pytest.mark.parametrize('augment', [(), ('flip', 'translation')])
def test_self_training_where_the_discriminator_is_sure(augment):
  """However what it is shown otherwise is moved."""
  images, inside = seen(make_batches())
  trust = 0.55
  method = make_method(
      self_training=0.7, trust=trust, adversary={'augment': augment}
  )
  state = make_state(method)
  logits = logits_of(state.segmentor.params, images)
  sure = jax.nn.sigmoid(judged(state, jax.nn.softmax(logits))) > trust
  labels, counts = np.argmax(logits, -1), np.asarray(sure & inside)
  assert 0 < counts.sum() < inside.sum()

  def plain(params, state, factor=0.7):
    del state
    logits = logits_of(params, images)
    return factor * sum(
        nats(logits[place], labels[place])
        for place in zip(*np.nonzero(counts), strict=True)
    ) / inside.sum()

  check(method, plain, state, {
      'self_training_loss': plain(state.segmentor.params, state, 1.0),
      'self_training_share': counts.sum() / inside.sum(),
  })


@pytest.fixture
def darker(monkeypatch):
  """Strong views are darker, and a corner is hidden: the views, the mask."""
  def strong(images, keys, stride):
    hidden = np.zeros((len(images), *(
        side // stride for side in images.shape[1:3]
    )), bool)
    hidden[:, 1:3, 2:] = True
    return 0.5 * images, jnp.asarray(hidden)

  monkeypatch.setattr(views, 'strong', strong)
  program.cache_clear()
  images, inside = seen(make_batches())
  view, hidden = strong(images, None, Mini.stride)
  yield view, np.asarray(inside) & ~np.asarray(hidden)
  program.cache_clear()


def with_teacher(method):
  """The first state, whose average is of other weights."""
  state, other = make_state(method), make_state(method, seed=1)
  return state.replace(segmentor=state.segmentor.replace(
      average={'params': other.segmentor.params}
  )), other.segmentor.params


@pytest.mark.parametrize('reduction', ['mean', 'sum'])
def test_the_mean_teacher(darker, reduction):
  """Squares are means over classes; with sums, over images of sums."""
  view, tells = darker
  images, inside = seen(make_batches())
  method = make_method(
      average=0.9, mean_teacher=20.0, adversary={'reduction': reduction}
  )
  state, teacher = with_teacher(method)
  taught = jax.nn.softmax(logits_of(teacher, images))
  share = 1 / inside.sum() if reduction == 'mean' else 1 / len(images)

  def plain(params, state, factor=20.0 * share):
    del state
    given = jax.nn.softmax(logits_of(params, view))
    return factor * sum(
        ((given[place] - taught[place]) ** 2).sum() / CLASSES
        for place in zip(*np.nonzero(tells), strict=True)
    )

  logits = logits_of(state.segmentor.params, view)
  agree = np.argmax(logits, -1) == np.argmax(taught, -1)
  check(method, plain, state, {
      'mean_teacher_loss': plain(
          state.segmentor.params, state, 1 / inside.sum()
      ),
      'mean_teacher_agreement': (agree & tells).sum() / inside.sum(),
  })


@pytest.mark.parametrize('reduction', ['mean', 'sum'])
def test_fixmatch(darker, reduction):
  view, tells = darker
  images, inside = seen(make_batches())
  confidence = 0.5
  method = make_method(
      fixmatch=0.7, confidence=confidence, adversary={'reduction': reduction}
  )
  share = 1 / inside.sum() if reduction == 'mean' else 1 / len(images)
  state = make_state(method)
  weak = jax.nn.softmax(logits_of(state.segmentor.params, images))
  labels = np.argmax(weak, -1)
  counts = np.asarray(weak.max(-1) >= confidence) & tells
  assert 0 < counts.sum() < tells.sum()

  def plain(params, state, factor=0.7 * share):
    del state
    logits = logits_of(params, view)
    return factor * sum(
        nats(logits[place], labels[place])
        for place in zip(*np.nonzero(counts), strict=True)
    )

  check(method, plain, state, {
      'fixmatch_loss': plain(
          state.segmentor.params, state, 1 / inside.sum()
      ),
      'fixmatch_share': counts.sum() / inside.sum(),
  })


ALL = dict.fromkeys(LESSONS, 1.0) | {'average': 0.9, 'confidence': 0.4}
NAMES = {
    name for term in unlabelled.TERMS.values() for name in term.metrics
}


def test_every_lesson_has_a_term():
  assert tuple(unlabelled.TERMS) == LESSONS


def test_they_begin_later():
  """All but the adversarial loss, which `adversary.start` delays."""
  late = make_method(**ALL, start=3)
  alone = make_method(average=0.9, adversarial=1.0)
  state = make_state(late)
  one, metrics = step(late, state)
  other, _ = step(alone, state)
  assert_close(one, other, 1e-6)
  assert np.isfinite([metrics[name] for name in NAMES]).all()
  now, _ = step(late, state.replace(step=jnp.int32(3)))
  with pytest.raises(AssertionError):
    assert_close(now[0], other[0], 1e-2)


@pytest.mark.parametrize('turn,known', [
    (BOTH, NAMES),
    (Turn(True, False, False), {
        'mean_teacher_loss', 'mean_teacher_agreement', 'fixmatch_loss',
        'fixmatch_share',
    }),
    (Turn(False, True, True), {'unlabelled_adversarial_loss', 'd_unlabelled'}),
])
def test_metrics_have_the_same_names_whosever_turn_it_is(turn, known):
  _, metrics = step(make_method(**ALL), turn=turn)
  assert metrics.keys() >= NAMES
  assert {name for name in NAMES if np.isfinite(metrics[name])} == known


def test_off_it_leaves_no_bit():
  method = make_method()
  for batch in (make_batch(), make_batches()):
    assert same(step(method, batch=batch), step(method, batch=make_batch()))


def test_a_batch_that_lies_beyond_its_images_teaches_nothing():
  batch = make_batches()
  batch['unlabelled_label'][:] = 255
  one, metrics = step(make_method(**ALL), batch=batch)
  other, _ = step(make_method(average=0.9), batch=batch)
  assert_close(one, other, 1e-6)
  assert [metrics[name] for name in sorted(NAMES)] == [0.0] * len(NAMES)


def test_views_and_masks_are_drawn_anew_in_each_step():
  method = make_method(fixmatch=1.0, confidence=0.0)
  state = make_state(method)
  losses = [
      float(step(method, state.replace(step=jnp.int32(at)))[1]['fixmatch_loss'])
      for at in (0, 1, 0)
  ]
  assert losses[0] == losses[2] != losses[1]


def test_an_image_and_its_view_have_dropout_of_their_own(monkeypatch):
  monkeypatch.setattr(views, 'strong', lambda images, keys, stride: (
      images, jnp.zeros((len(images), 4, 4), bool)
  ))
  method = dataclasses.replace(
      make_method(fixmatch=1.0), segmentor=Mini(dropout=0.5)
  )
  state = make_state(method)
  lesson = unlabelled.Lesson(
      state.segmentor.params, state.discriminator.params, make_batches(),
      state, method, BOTH, None,
  )
  assert not np.allclose(lesson.logits, lesson.strong[0])


SHARES = (0.0, 0.9, 0.3, 1.1, 0.5, 0.1, 0.7, 0.6)


def run(method, count):
  """Both networks and the metrics after two steps on `count` devices."""
  devices = jax.local_devices()[:count]
  train = parallel.make_train_step(method, devices)
  state, history = parallel.place(make_state(method), devices), []
  for seed in range(2):
    batch = make_batches(len(SHARES), SHARES, seed)
    state, metrics = train(state, parallel.shard(batch, count))
    history.append(jax.device_get(metrics))
  return jax.device_get((state.segmentor, state.discriminator)), history


@functools.cache
def heavy(augment=('flip',)):
  method = make_method(
      **ALL, discriminator=Patch(width=0.02), adversary={'augment': augment},
  )
  update = dataclasses.replace(
      method.optimizer, segmentor=HEAVY, discriminator=HEAVY
  )
  return dataclasses.replace(method, optimizer=update)


def test_one_device_equals_eight():
  (one, history), (eight, history8) = (run(heavy(), n) for n in (1, 8))
  assert_close(eight, one, 1e-5)
  assert_same_metrics(history8, history, 1e-4)


def test_a_batch_in_parts_is_the_batch(monkeypatch):
  """But for what is random."""
  monkeypatch.setattr(views, 'strong', lambda images, keys, stride: (
      0.5 * images, jnp.zeros((len(images), 4, 4), bool)
  ))
  method = heavy(augment=())
  parts = dataclasses.replace(method, accumulate=2)
  (whole, history), (summed, found) = (run(one, 1) for one in (method, parts))
  assert_close(summed, whole, 1e-5)
  assert_same_metrics(found, history, 1e-4)


@pytest.mark.parametrize('encoding', ['basic', 'product'])
def test_one_logit_an_image_masks_nothing(encoding):
  adversary = {'encoding': encoding}
  one, many = LargeFOV(width=0.02), Patch(width=0.02)
  with pytest.raises(UserError, match=r'self-training is 0\.1: .* patch'):
    unlabelled.check(make_method(
        self_training=0.1, discriminator=one, adversary=adversary
    ), (16, 24))
  for fine in (
      {'self_training': 0.1, 'discriminator': many},
      {'adversarial': 0.1, 'discriminator': one}, {'discriminator': one},
  ):
    unlabelled.check(make_method(**fine, adversary=adversary), (16, 24))


def test_turns_do_not_depend_on_it():
  assert turns(None, make_method(**ALL).adversary) == BOTH
