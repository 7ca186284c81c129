import dataclasses
import functools

import jax
import numpy as np
import pytest
from miniature import (
    HEAVY,
    Mini,
    assert_close,
    assert_same_metrics,
    make_batch,
    make_method,
    make_state,
    same,
)

from adseg_jax.method.step import train_step
from adseg_jax.networks.discriminators import Patch
from adseg_jax.training import parallel

# Shares of void: each of eight devices has another number of pixels to count.
SHARES = (0.0, 0.9, 0.3, 1.1, 0.5, 0.1, 0.7, 0.6)


def devices(count):
  return jax.local_devices()[:count]


def run(method, count, steps):
  """The state and the metrics of every step, on `count` devices."""
  step = parallel.make_train_step(method, devices(count))
  state = parallel.place(make_state(method), devices(count))
  history = []
  for seed in range(steps):
    batch = make_batch(seed, len(SHARES), SHARES)
    state, metrics = step(state, parallel.shard(batch, count))
    history.append(jax.device_get(metrics))
  return jax.device_get((state.segmentor, state.discriminator)), history


@pytest.mark.parametrize('options', [
    {'reduction': 'sum', 'segmentor': Mini(average=True), 'pull': 0.3,
     'r1': 2.0, 'r1_every': 1, 'augment': ('flip', 'translation', 'cutout')},
    {'discriminator': Patch(width=0.02), 'encoding': 'scaling', 'start': 1},
    {'weight': 0.0},
], ids=['per image', 'per pixel', 'alone'])
def test_one_device_equals_eight(options):
  method = make_method(update=HEAVY, **options)
  (one, history), (eight, history8) = (run(method, n, 4) for n in (1, 8))
  assert_close(eight, one, 1e-6)
  assert_same_metrics(history8, history, 1e-5)


@pytest.mark.parametrize('options,count', [
    ({'reduction': 'sum', 'r1': 2.0, 'r1_every': 1}, 1),
    ({'discriminator': Patch(width=0.02)}, 1), ({'weight': 0.0}, 2),
], ids=['per image', 'per pixel', 'alone'])
def test_a_batch_in_parts_is_the_batch(options, count):
  """Whose parts have other numbers of pixels to count."""
  method = make_method(update=HEAVY, **options)
  parts = dataclasses.replace(method, accumulate=2)
  (whole, history), (summed, found) = (
      run(one, count, 2) for one in (method, parts)
  )
  assert_close(summed, whole, 1e-6)
  assert_same_metrics(found, history, 1e-5)


def test_parts_have_masks_of_their_own():
  """Equal images in both parts: equal masks would give equal sums."""
  method = make_method(Mini(dropout=0.5), weight=0.0)
  batch = make_batch(count=1)
  batch = {name: np.repeat(x, 2, 0) for name, x in batch.items()}
  alone = {name: x[:1] for name, x in batch.items()}
  state = make_state(method)
  losses = [
      float(jax.jit(functools.partial(
          train_step, method=dataclasses.replace(method, accumulate=parts)
      ))(state, part)[1]['segmentation_loss'])
      for part, parts in ((alone, 1), (batch, 1), (batch, 2))
  ]
  assert len({round(loss, 4) for loss in losses}) == 3


def test_one_device_equals_the_plain_step():
  method = make_method(update=HEAVY)
  batch = make_batch()
  plain, metrics = jax.jit(
      lambda state: train_step(state, batch, method=method)
  )(make_state(method))
  state, mapped = parallel.make_train_step(method, devices(1))(
      parallel.place(make_state(method), devices(1)), parallel.shard(batch, 1)
  )
  assert_close((state.segmentor, state.discriminator),
               (plain.segmentor, plain.discriminator), 1e-6)
  for name in metrics:
    np.testing.assert_allclose(mapped[name], metrics[name], rtol=1e-5)


def test_dropout_differs_between_devices():
  """Equal images on all devices: equal masks would give equal sums."""
  method = make_method(Mini(dropout=0.5), weight=0.0)
  batch = make_batch(count=1)
  batch = {name: np.repeat(x, 2, 0) for name, x in batch.items()}
  one, two = (
      float(parallel.make_train_step(method, devices(n))(
          parallel.place(make_state(method), devices(n)),
          parallel.shard({k: x[:n] for k, x in batch.items()}, n),
      )[1]['segmentation_loss']) for n in (1, 2)
  )
  assert abs(one - two) > 1e-4


def test_it_is_traced_once_and_consumes_its_state(monkeypatch):
  traces = []

  def counted(*arguments, **options):
    traces.append(1)
    return train_step(*arguments, **options)

  monkeypatch.setattr(parallel, 'train_step', counted)
  step = parallel.make_train_step(make_method(), devices(2))
  state = parallel.place(make_state(make_method()), devices(2))
  for seed in range(4):
    consumed = state
    state, _ = step(state, parallel.shard(make_batch(seed), 2))
    jax.block_until_ready(state)
    arrays = jax.tree.leaves((consumed.segmentor, consumed.discriminator))
    assert all(array.is_deleted() for array in arrays)
  assert len(traces) == 1
  assert int(state.step) == 4


def test_every_device_holds_the_same_state():
  step = parallel.make_train_step(make_method(), devices(4))
  state, _ = step(
      parallel.place(make_state(make_method()), devices(4)),
      parallel.shard(make_batch(0, 8, SHARES), 4),
  )
  for leaf in jax.tree.leaves((state.segmentor, state.discriminator)):
    assert leaf.sharding.is_fully_replicated
    first, *others = (shard.data for shard in leaf.addressable_shards)
    assert len(others) == 3
    assert all(same(first, other) for other in others)


def test_shard_keeps_the_order(rng):
  batch = {'image': rng.random((6, 4, 5, 3)), 'label': np.arange(6)}
  parts = parallel.shard(batch, 3)
  assert parts['image'].shape == (3, 2, 4, 5, 3)
  np.testing.assert_array_equal(parts['label'], [[0, 1], [2, 3], [4, 5]])
  np.testing.assert_array_equal(np.concatenate(parts['image']), batch['image'])
