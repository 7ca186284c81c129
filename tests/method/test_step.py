import dataclasses
import functools
import itertools

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
    make_batch,
    make_method,
    make_state,
    same,
)

from adseg_jax.config import Optimizer, Update
from adseg_jax.method import encodings, step
from adseg_jax.method.losses import (
    OBJECTIVES,
    AdversarialObjective,
    cross_entropy,
)
from adseg_jax.method.measures import ADVERSARY_METRICS
from adseg_jax.method.step import train_step
from adseg_jax.method.turns import turns
from adseg_jax.networks.discriminators import Patch, TwoBranch
from adseg_jax.networks.pyramid import local_normalize, standardize
from adseg_jax.networks.segmentors import downsample_labels

DISCRIMINATORS = {
    'two_branch': TwoBranch(width=0.02), 'patch': Patch(width=0.02),
}
ALWAYS = {
    'segmentation_loss', 'pixel_accuracy', 'segmentor_gradient_norm', 'dropped'
}
WITH_ADVERSARY = ALWAYS | {*ADVERSARY_METRICS, 'discriminator_gradient_norm'}


def gradients(state):
  """What the step computed: with momentum 0 the trace is the gradient."""
  return tuple(
      optax.tree.get(network.optimizer_state, 'trace')
      for network in (state.segmentor, state.discriminator)
  )


def mean_over(labels, terms):
  """Per pixel: over pixels that have a class; per image: over images."""
  if terms.ndim == 1:
    return terms.mean()
  valid = labels != 255
  return jnp.where(valid, terms, 0).sum() / valid.sum()


def two_losses(method, objective, batch):
  """Each player's own loss, the other's parameters held: nothing shared."""
  adversary = method.adversary
  labels = downsample_labels(batch['label'], 4)
  product = adversary.encoding == 'product'
  images = (local_normalize if product else standardize)(batch['image'])

  def predict(params):
    return method.segmentor.apply({'params': params}, batch['image'],
                                  train=True)

  def judge(params, maps):
    seen = encodings.product(maps, images) if product else maps
    return method.discriminator.apply({'params': params}, seen, images)

  def without_void(maps):
    return maps * (labels != 255)[..., None]

  def segmentor(params, others):
    logits = predict(params)
    fake = judge(jax.lax.stop_gradient(others),
                 without_void(jax.nn.softmax(logits)))
    return (mean_over(labels, cross_entropy(logits, labels))
            + adversary.weight * mean_over(labels, objective.segmentor(fake)))

  def discriminator(params, others):
    logits = jax.lax.stop_gradient(predict(others))
    fake = without_void(jax.nn.softmax(logits))
    real = encodings.one_hot(labels, CLASSES)
    if adversary.encoding == 'scaling':
      real = encodings.scaling(real, fake, adversary.tau)
    return mean_over(labels, objective.discriminator(
        judge(params, real), judge(params, fake)
    ))

  return segmentor, discriminator


@functools.cache
def program(method, turn):
  return jax.jit(functools.partial(train_step, method=method, turn=turn))


def stepper(method):
  """The step; its programs are compiled once for each method of this file."""
  return lambda state, batch: program(
      method, turns(state.step, method.adversary)
  )(state, batch)


def run(method, steps, state=None, batch=None):
  """States and metrics of the first steps; the first state is the start."""
  states, history = [state or make_state(method)], []
  for _ in range(steps):
    state, metrics = stepper(method)(states[-1], batch or make_batch())
    states.append(state)
    history.append(metrics)
  return states, history


@functools.cache
def initial(discriminator, encoding):
  method = make_method(
      discriminator=DISCRIMINATORS[discriminator], encoding=encoding
  )
  return make_state(method)


def mixture(weights):
  """A weighted sum of all objectives: one compiled step serves all four."""
  def sum_of(half):
    return lambda *logits: sum(
        weight * getattr(objective, half)(*logits)
        for weight, objective in zip(weights, OBJECTIVES.values(), strict=True)
    )

  return AdversarialObjective(sum_of('discriminator'), sum_of('segmentor'))


@pytest.mark.parametrize('discriminator,encoding', [
    ('two_branch', 'basic'), ('two_branch', 'scaling'), ('patch', 'product'),
])
def test_two_pullbacks_are_the_two_gradients(
    monkeypatch, discriminator, encoding
):
  method = make_method(
      discriminator=DISCRIMINATORS[discriminator], encoding=encoding,
      objective='mixture', weight=0.7, tau=0.6,
  )
  state, batch = initial(discriminator, encoding), make_batch()

  @jax.jit
  def compare(weights):
    objective = mixture(weights)
    monkeypatch.setattr(step, 'OBJECTIVES', {'mixture': objective})
    after, metrics = step.train_step(state, batch, method=method)
    both = state.segmentor.params, state.discriminator.params
    plain = tuple(
        jax.grad(loss)(own, other) for loss, own, other in zip(
            two_losses(method, objective, batch), both, both[::-1],
            strict=True,
        )
    )
    return gradients(after), plain, metrics

  for name, weights in zip(OBJECTIVES, np.eye(4, dtype=np.float32),
                           strict=True):
    ours, theirs, metrics = compare(weights)
    for one, other in zip(ours, theirs, strict=True):
      assert_close(one, other, 1e-5)
      assert optax.tree.norm(other) > 1e-3, name
    assert metrics.keys() == WITH_ADVERSARY
    assert np.isfinite(list(metrics.values())).all(), name


def test_a_player_does_not_see_the_others_loss(monkeypatch):
  """Changing one half of the objective moves that network alone."""
  method = make_method(objective='scaled', weight=0.7)
  state, batch = make_state(method), make_batch()

  @jax.jit
  def updated(factors):
    halves = (
        lambda *logits, loss=loss, factor=factor: factor * loss(*logits) ** 2
        for loss, factor in zip(OBJECTIVES['bce'], factors, strict=False)
    )
    objectives = {'scaled': AdversarialObjective(*halves)}
    monkeypatch.setattr(step, 'OBJECTIVES', objectives)
    after, _ = step.train_step(state, batch, method=method)
    return after.discriminator, after.segmentor

  plain = updated(np.float32([1, 1]))
  # Powers of two, which what both share takes without rounding.
  for moved, factors in enumerate(np.float32([[16, 1], [1, 16]])):
    after = updated(factors)
    assert same(after[1 - moved], plain[1 - moved])
    assert not np.allclose(
        *(optax.tree.norm(side[moved].params) for side in (after, plain)),
        rtol=1e-5,
    )


def test_metrics_equal_numpy():
  method, batch = make_method(objective='lsgan'), make_batch()
  state = make_state(method)
  _, metrics = stepper(method)(state, batch)
  logits = np.asarray(method.segmentor.apply(
      {'params': state.segmentor.params}, batch['image'], train=False
  ), np.float64)
  labels = downsample_labels(batch['label'], 4)
  valid = labels != 255
  log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
  true = np.take_along_axis(log_p, np.minimum(labels, 2)[..., None], -1)
  real, fake = (
      np.asarray(method.discriminator.apply(
          {'params': state.discriminator.params},
          np.float32(maps * valid[..., None]), batch['image'],
      ), np.float64)
      for maps in (np.eye(256)[labels][..., :CLASSES], np.exp(log_p))
  )
  expected = {
      'segmentation_loss': -true[valid].mean(),
      'pixel_accuracy': (logits.argmax(-1) == labels)[valid].mean(),
      'adversarial_loss': ((fake - 1) ** 2).mean(),
      'discriminator_loss': ((real - 1) ** 2 + fake**2).mean(),
      'd_real': real.clip(0, 1).mean(),
      'd_fake': fake.clip(0, 1).mean(),
      'd_real_accuracy': (real > 0.5).mean(),
      'd_fake_accuracy': (fake < 0.5).mean(),
      'dropped': 0,
  }
  for name, value in expected.items():
    np.testing.assert_allclose(metrics[name], value, rtol=1e-5, err_msg=name)


def test_class_weights_are_factors_of_the_terms_and_not_of_the_count():
  """In the loss and in its gradient; void has neither."""
  weights = (3.0, 0.5, 0.0)
  method = dataclasses.replace(make_method(weight=0.0), class_weights=weights)
  state, batch = make_state(method), make_batch()
  logits = np.asarray(method.segmentor.apply(
      {'params': state.segmentor.params}, batch['image'], train=False
  ), np.float64)
  labels = downsample_labels(batch['label'], 4)
  valid = labels != 255
  of_label = np.take(weights, np.minimum(labels, 2))
  log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
  true = np.take_along_axis(log_p, np.minimum(labels, 2)[..., None], -1)
  after, metrics = stepper(method)(state, batch)
  np.testing.assert_allclose(
      metrics['segmentation_loss'],
      -(of_label * true[..., 0])[valid].sum() / valid.sum(), rtol=1e-5,
  )
  # Of the only bias: the sum of what reaches the logits.
  reaching = np.exp(log_p) - np.eye(256)[labels][..., :CLASSES]
  reaching *= (of_label * valid)[..., None] / valid.sum()
  bias = gradients(after)[0]['conv1']['bias']
  np.testing.assert_allclose(bias, reaching.sum((0, 1, 2)), rtol=1e-5)
  np.testing.assert_allclose(
      metrics['pixel_accuracy'],
      (logits.argmax(-1) == labels)[valid].mean(), rtol=1e-6,
  )


def test_gradient_norms_are_those_of_the_gradients():
  states, [metrics] = run(make_method(), 1)
  for name, gradient in zip(
      ('segmentor', 'discriminator'), gradients(states[1]), strict=True
  ):
    norm = np.sqrt(sum(np.sum(g**2) for g in jax.tree.leaves(gradient)))
    np.testing.assert_allclose(
        metrics[f'{name}_gradient_norm'], norm, rtol=1e-5
    )


def test_the_gradient_ratio_is_that_of_the_two_losses_at_the_logits():
  method = make_method(weight=0.7)
  state, batch = make_state(method), make_batch()
  labels = downsample_labels(batch['label'], 4)
  logits = method.segmentor.apply(
      {'params': state.segmentor.params}, batch['image'], train=True
  )

  def fooling(logits):
    maps = jax.nn.softmax(logits) * (labels != 255)[..., None]
    fake = method.discriminator.apply(
        {'params': state.discriminator.params}, maps, batch['image']
    )
    return 0.7 * jax.nn.softplus(-fake).mean()

  def wanted(logits):
    return mean_over(labels, cross_entropy(logits, labels))

  norms = [
      jnp.linalg.norm(jax.grad(loss)(logits)) for loss in (fooling, wanted)
  ]
  _, metrics = stepper(method)(state, batch)
  np.testing.assert_allclose(
      metrics['gradient_ratio'], norms[0] / norms[1], rtol=1e-5
  )


def broken_batch():
  batch = make_batch()
  batch['image'][0] = np.nan
  return batch


def with_huge_gradients(state):
  """Finite, but their squares add up to more than a number can hold."""
  kernel = state.discriminator.params['logit']['kernel']
  params = state.discriminator.params | {'logit': (
      state.discriminator.params['logit'] | {'kernel': kernel * 1e25}
  )}
  return state.replace(
      discriminator=state.discriminator.replace(params=params)
  )


@pytest.mark.parametrize('options,broken', [
    ({}, 'image'), ({'weight': 0.0}, 'image'), ({'start': 2}, 'image'),
    ({'segmentor': Mini(average=True)}, 'image'), ({}, 'gradient'),
])
def test_an_update_that_is_not_finite_is_dropped(options, broken):
  method = make_method(**{'update': HEAVY} | options)
  state = make_state(method)
  if broken == 'gradient':
    state, batch = with_huge_gradients(state), make_batch()
  else:
    batch = broken_batch()
  after, metrics = stepper(method)(state, batch)
  assert metrics['dropped'] == 1
  assert same((after.segmentor, after.discriminator),
              (state.segmentor, state.discriminator))
  assert after.step == 1


def test_a_dropped_update_leaves_no_trace():
  method = make_method(update=HEAVY)
  start = make_state(method)
  broken, _ = stepper(method)(start, broken_batch())
  after, metrics = stepper(method)(broken, make_batch())
  plain, _ = stepper(method)(start.replace(step=broken.step), make_batch())
  assert metrics['dropped'] == 0
  assert same(after, plain)


def test_same_key_same_bits_and_another_seed_others():
  method = make_method(update=HEAVY)
  one, again = (run(method, 3)[0][-1] for _ in range(2))
  other = run(method, 3, make_state(method, seed=1))[0][-1]
  assert same(one, again)
  assert not same(one.segmentor.params, other.segmentor.params)
  assert not same(one.discriminator.params, other.discriminator.params)


def test_randomness_is_a_function_of_key_and_step():
  method = make_method(Mini(dropout=0.5))
  state = make_state(method)

  def updated(state):
    return stepper(method)(state, make_batch())[0].segmentor.params

  assert same(updated(state), updated(state))
  assert not same(
      updated(state), updated(state.replace(key=jax.random.key(1)))
  )
  # PLAIN's learning rate does not depend on the step.
  assert not same(
      updated(state), updated(state.replace(step=state.step + 1))
  )


def test_the_key_never_changes_and_steps_are_counted():
  states, _ = run(make_method(), 3)
  assert [int(state.step) for state in states] == [0, 1, 2, 3]
  assert all(same(state.key, states[0].key) for state in states)


@pytest.mark.parametrize('start,alternate_every,turns', [
    (0, 1, 'SDSDSD'), (0, 2, 'SSDDSS'), (3, 0, 'SSSBBB'), (1, 2, 'SSSDDSS'),
])
def test_whose_turn_it_is(start, alternate_every, turns):
  """S: segmentor, D: discriminator, B: both; the idle one keeps its bits."""
  # Adam counts its updates, even those with a gradient of zero.
  method = make_method(
      update=Update('adam'), start=start, alternate_every=alternate_every
  )
  states, history = run(method, len(turns))
  for i, turn in enumerate(turns):
    before, after = states[i], states[i + 1]
    for name in ('segmentor', 'discriminator'):
      learns = turn in ('B', name[0].upper())
      params = getattr(before, name).params, getattr(after, name).params
      assert same(getattr(before, name), getattr(after, name)) != learns, i
      assert same(*params) != learns, i
    assert history[i].keys() == WITH_ADVERSARY
    for name in ADVERSARY_METRICS:
      unknown = i < start or (turn == 'D' and name == 'gradient_ratio')
      assert np.isnan(history[i][name]) == unknown, (name, i)
    for name in WITH_ADVERSARY - set(ADVERSARY_METRICS):
      assert np.isfinite(history[i][name]), (name, i)


def test_before_the_start_the_segmentor_trains_as_without_adversary():
  late = make_method(update=HEAVY, start=2)
  alone = make_method(update=HEAVY, weight=0.0)
  with_it, without = (run(method, 3)[0] for method in (late, alone))
  assert_close(with_it[2].segmentor, without[2].segmentor, 1e-6)
  assert not np.allclose(
      with_it[3].segmentor.params['conv1']['kernel'],
      without[3].segmentor.params['conv1']['kernel'], atol=1e-5,
  )


def test_alternation_sees_the_other_networks_newest_parameters():
  """The step after a turn equals a step of both from the same state."""
  alternating = make_method(alternate_every=1)
  states, _ = run(alternating, 2)
  both, _ = stepper(make_method())(states[1], make_batch())
  assert_close(states[2].discriminator, both.discriminator, 1e-6)


def test_weight_zero_is_plain_cross_entropy_with_momentum():
  method, batch = make_method(update=HEAVY, weight=0.0), make_batch()
  optimizer = Optimizer(100, HEAVY, Update('adam'))
  states, history = run(dataclasses.replace(method, optimizer=optimizer), 4)
  labels = downsample_labels(batch['label'], 4)

  @jax.jit
  @jax.grad
  def slope(params):
    logits = method.segmentor.apply({'params': params}, batch['image'],
                                    train=True)
    return mean_over(labels, cross_entropy(logits, labels))

  params = states[0].segmentor.params
  velocity = jax.tree.map(jnp.zeros_like, params)
  for state, metrics in zip(states[1:], history, strict=True):
    velocity = jax.tree.map(
        lambda v, g: 0.9 * v + g, velocity, slope(params)
    )
    params = jax.tree.map(lambda p, v: p - 0.1 * v, params, velocity)
    assert_close(state.segmentor.params, params, 1e-6)
    assert same(state.discriminator, states[0].discriminator)
    assert metrics.keys() == ALWAYS


def test_sum_is_the_mean_over_images_of_pixel_sums():
  method, batch = make_method(weight=0.0, reduction='sum'), make_batch()
  states, [metrics] = run(method, 1)
  labels = downsample_labels(batch['label'], 4)

  def terms(params):
    logits = method.segmentor.apply({'params': params}, batch['image'],
                                    train=True)
    return cross_entropy(logits, labels)

  params = states[0].segmentor.params
  theirs = jax.jit(jax.grad(
      lambda params: terms(params).sum((1, 2)).mean()
  ))(params)
  assert_close(gradients(states[1])[0], theirs, 1e-5)
  np.testing.assert_allclose(
      metrics['segmentation_loss'], terms(params).sum() / (labels != 255).sum(),
      rtol=1e-5,
  )


@pytest.mark.parametrize('options', [
    {'encoding': 'scaling'}, {'encoding': 'scaling', 'reduction': 'sum'},
    {'discriminator': DISCRIMINATORS['patch']},
], ids=['mean', 'sum', 'patch'])
def test_a_batch_of_void_leaves_finite_parameters(options):
  method = make_method(**options)
  states, [metrics] = run(method, 1, batch=make_batch(void=1.1))
  assert all(np.isfinite(p).all() for p in jax.tree.leaves(
      (states[1].segmentor, states[1].discriminator)
  ))
  assert np.isfinite(list(metrics.values())).all()
  assert metrics['segmentation_loss'] == metrics['pixel_accuracy'] == 0
  # Both maps are empty: there is nothing that the segmentor could improve.
  assert same(states[1].segmentor.params, states[0].segmentor.params)


def test_model_state_is_updated_even_while_idle_never():
  """A segmentor's running averages move with its turns."""
  method = make_method(Mini(average=True), alternate_every=1)
  states, _ = run(method, 2)
  means = [float(s.segmentor.model_state['batch_stats']['mean'])
           for s in states]
  average = make_batch()['image'].mean()
  np.testing.assert_allclose(
      means, [0, 0.5 * average, 0.5 * average], rtol=1e-5
  )


@pytest.mark.parametrize('start,alternate_every', [(0, 2), (3, 1)])
def test_the_control_learns_when_the_segmentor_of_its_arm_learns(
    start, alternate_every
):
  """On the same schedule: otherwise the control has twice the updates."""
  schedule = {'start': start, 'alternate_every': alternate_every}
  changed = []
  for weight in (0.1, 0.0):
    states, _ = run(make_method(weight=weight, **schedule), 8)
    changed.append([
        (not same(a.segmentor, b.segmentor),
         not same(a.discriminator, b.discriminator))
        for a, b in itertools.pairwise(states)
    ])
  arm, control = changed
  assert [learnt for learnt, _ in control] == [learnt for learnt, _ in arm]
  assert 0 < sum(learnt for learnt, _ in arm) < 8
  assert any(learnt for _, learnt in arm)
  assert not any(learnt for _, learnt in control)
