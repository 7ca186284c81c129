import dataclasses

import jax
import numpy as np
import optax
import pytest

from adseg_jax.config import Experiment, Optimizer, Update
from adseg_jax.method.optimizers import direction, learning_rate, updated
from adseg_jax.method.state import Network
from adseg_jax.training.validation import validate

STEPS = 20
START = {'kernel': np.float32([[1.0, -2.0], [0.5, 4.0]]),
         'bias': np.float32([1.0, -1.0])}
GRADIENTS = [
    jax.tree.map(lambda p, i=i: np.float32(np.cos(7 * p + i)), START)
    for i in range(4)
]


def descend(update, gradients=GRADIENTS):
  """Parameters after each update."""
  network = Network(START, {}, direction(update).init(START))
  step = jax.jit(
      lambda network, gradient, i: updated(
          network, gradient, update, i, i, STEPS
      )
  )
  found = []
  for i, gradient in enumerate(gradients):
    network = step(network, gradient, i)
    found.append(network.params)
  return found


def check(update, rule):
  """`rule(gradients so far, parameters, name) -> move`, NumPy in float64."""
  expected = jax.tree.map(np.float64, START)
  for count, params in enumerate(descend(update), 1):
    for name in START:
      history = [np.float64(g[name]) for g in GRADIENTS[:count]]
      expected[name] = expected[name] + rule(history, expected[name], name)
      np.testing.assert_allclose(params[name], expected[name], rtol=2e-6)


def moments(history, b1, b2):
  """Adam's bias-corrected moments as weighted means, not as a recursion."""
  age = np.arange(len(history))[::-1].reshape(-1, *[1] * history[0].ndim)
  history = np.stack(history)
  means = [
      (b**age * x).sum(0) / (b**age).sum(0)
      for b, x in ((b1, history), (b2, history**2))
  ]
  return means[0], np.sqrt(means[1]) + 1e-8


def test_sgd_with_momentum():
  update = Update('sgd', learning_rate=0.1, momentum=0.8)
  check(update, lambda history, *_: -0.1 * sum(
      0.8**age * g for age, g in enumerate(history[::-1])
  ))


def test_sgd_with_weight_decay_on_kernels_only():
  update = Update('sgd', learning_rate=0.1, momentum=0.0, weight_decay=0.3)
  check(update, lambda history, params, name: -0.1 * (
      history[-1] + 0.3 * params * (name == 'kernel')
  ))


def test_adam():
  update = Update('adam', learning_rate=0.1, momentum=0.7, second_moment=0.9)

  def rule(history, *_):
    mean, root = moments(history, 0.7, 0.9)
    return -0.1 * mean / root

  check(update, rule)


def test_adam_decays_kernels_before_the_moments():
  update = Update(
      'adam', learning_rate=0.1, momentum=0.7, second_moment=0.9,
      weight_decay=0.3,
  )
  decayed = {name: [] for name in START}

  def rule(history, params, name):
    decayed[name].append(history[-1] + 0.3 * params * (name == 'kernel'))
    mean, root = moments(decayed[name], 0.7, 0.9)
    return -0.1 * mean / root

  check(update, rule)


def test_adamw_decays_kernels_beside_the_moments():
  update = Update(
      'adamw', learning_rate=0.1, momentum=0.7, second_moment=0.9,
      weight_decay=0.3,
  )

  def rule(history, params, name):
    mean, root = moments(history, 0.7, 0.9)
    return -0.1 * (mean / root + 0.3 * params * (name == 'kernel'))

  check(update, rule)


@pytest.mark.parametrize('update,plain', [
    (Update('sgd', 0.05, momentum=0.9), optax.sgd(0.05, momentum=0.9)),
    (Update('adam', 0.05, momentum=0.5), optax.adam(0.05, b1=0.5)),
    (Update('adamw', 0.05, weight_decay=0.1), optax.adamw(
        0.05, weight_decay=0.1, mask={'kernel': True, 'bias': False}
    )),
    (Update('adam', 0.05, schedule='cosine', momentum=0.9),
     optax.adam(optax.cosine_decay_schedule(0.05, STEPS))),
], ids=['sgd', 'adam', 'adamw', 'cosine'])
def test_optax_agrees(update, plain):
  params, state = START, plain.init(START)
  for gradient, ours in zip(GRADIENTS, descend(update), strict=True):
    move, state = plain.update(gradient, state, params)
    params = optax.apply_updates(params, move)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6), ours, params
    )


@pytest.mark.parametrize('name', ['sgd', 'adam', 'adamw'])
def test_clip_limits_the_global_norm_and_leaves_small_gradients(name):
  update = Update(name, learning_rate=0.1, weight_decay=0.2)
  norm = np.sqrt(sum((g**2).sum() for g in GRADIENTS[0].values()))

  def first(clip, factor=1.0):
    gradient = jax.tree.map(lambda g: g * np.float32(factor), GRADIENTS[0])
    clipped = dataclasses.replace(update, clip=clip)
    return descend(clipped, [gradient])[0]

  def assert_same(one, other):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), one, other
    )

  assert_same(first(0.5), first(0.0, 0.5 / norm))
  assert_same(first(0.5, 1000.0), first(0.5))
  assert_same(first(2 * norm), first(0.0))


def rates(**options):
  update = Update(learning_rate=0.4, **options)
  rate = jax.jit(lambda step: learning_rate(update, step, step, 100))
  return [float(rate(step)) for step in (0, 50, 75, 100)]


@pytest.mark.parametrize('options,expected', [
    ({}, [0.4, 0.4, 0.4, 0.4]),
    ({'schedule': 'polynomial', 'power': 2.0}, [0.4, 0.1, 0.025, 0.0]),
    ({'schedule': 'polynomial'},
     [0.4, 0.4 * 0.5**0.9, 0.4 * 0.25**0.9, 0.0]),
    ({'schedule': 'cosine'},
     [0.4, 0.2, 0.2 * (1 - np.sqrt(0.5)), 0.0]),
])
def test_schedule_at_start_middle_and_end(options, expected):
  np.testing.assert_allclose(rates(**options), expected, atol=1e-7)


def test_a_schedule_ends_at_zero_and_stays():
  for schedule in ('polynomial', 'cosine'):
    update = Update(schedule=schedule)
    assert learning_rate(update, 150, 150, 100) == 0


def test_warmup_rises_in_equal_steps_to_the_schedule():
  update = Update(learning_rate=0.4, schedule='cosine', warmup=4)
  plain = Update(learning_rate=0.4, schedule='cosine')
  for late in (0, 7):
    shares = [
        float(learning_rate(update, step + late, step, 100)
              / learning_rate(plain, step + late, 0, 100))
        for step in range(6)
    ]
    np.testing.assert_allclose(shares, [0.25, 0.5, 0.75, 1, 1, 1], rtol=1e-6)


def test_the_rate_follows_the_runs_step_not_the_updates_made():
  """An idle network comes back at the rate of the step it comes back at."""
  update = Update(learning_rate=0.4, momentum=0.0, schedule='polynomial',
                  power=1.0)
  network = Network(START, {}, direction(update).init(START))
  after = jax.jit(
      lambda i: updated(network, GRADIENTS[0], update, i, 0, STEPS)
  )(15)
  np.testing.assert_allclose(
      after.params['bias'], START['bias'] - 0.1 * GRADIENTS[0]['bias'],
      rtol=1e-6,
  )


@pytest.mark.parametrize('name', ['sgd', 'adam', 'adamw'])
def test_the_largest_step_that_is_allowed_ends_in_finite_parameters(name):
  update = Update(name, learning_rate=1e6, momentum=0.99, weight_decay=1,
                  new_layers=('conv',), new_layers_factor=1e6)
  validate(Experiment(optimizer=Optimizer(
      segmentor=update, discriminator=update
  )), 4, 1)
  params = {'conv1': {'kernel': np.full((2, 2), 1e18, np.float32)}}
  network = Network(params, {}, direction(update).init(params))
  after = updated(network, params, update, np.int32(0), 0, 10)
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(after))
