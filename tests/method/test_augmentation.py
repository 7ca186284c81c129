"""What is done to maps and images together, by hand."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from miniature import (
    HEAVY,
    assert_close,
    assert_same_metrics,
    make_batch,
    make_method,
    make_state,
    same,
)

from adseg_jax.method.augmentation import Change, changed, draw, returned
from adseg_jax.method.forward import judge
from adseg_jax.method.state import image_keys
from adseg_jax.method.step import train_step

KINDS = 'flip', 'translation', 'cutout'
CELLS = 16, 24


def change(flip=False, shift=(0, 0), first=(0, 0), last=(0, 0)):
  """One, for a batch of one."""
  return Change(
      jnp.array([flip]), *(jnp.array([pair]) for pair in (shift, first, last))
  )


@pytest.mark.parametrize('options,expected', [
    ({}, [[1, 2, 3], [4, 5, 6]]),
    ({'flip': True}, [[3, 2, 1], [6, 5, 4]]),
    ({'shift': (1, 0)}, [[0, 0, 0], [1, 2, 3]]),
    ({'shift': (0, -1)}, [[2, 3, 0], [5, 6, 0]]),
    ({'flip': True, 'shift': (-1, 1)}, [[0, 6, 5], [0, 0, 0]]),
    ({'first': (-1, 1), 'last': (1, 3)}, [[1, 0, 0], [4, 5, 6]]),
    ({'flip': True, 'first': (1, 0), 'last': (3, 1)}, [[3, 2, 1], [0, 5, 4]]),
])
def test_by_hand(options, expected):
  x = jnp.arange(1.0, 7.0).reshape(1, 2, 3, 1)
  found = changed(x, change(**options), 1)
  np.testing.assert_array_equal(found[0, :, :, 0], expected)


def test_what_was_moved_returns():
  x = jnp.arange(1.0, 7.0).reshape(1, 2, 3, 1)
  moved = change(True, (0, 1))
  found = returned(changed(x, moved, 1)[..., 0], moved)
  np.testing.assert_array_equal(found[0], [[0, 2, 3], [0, 5, 6]])


@functools.partial(jax.jit, static_argnums=(0, 1))
def changes(kinds, count=400):
  keys = jax.random.split(jax.random.key(0), count)
  return draw(keys, CELLS, kinds)


def test_an_image_goes_with_its_map():
  """Four pixels a cell: the cells of what was changed are the changed map."""
  cells = jax.random.normal(jax.random.key(1), (20, *CELLS, 2))
  image = cells.repeat(4, 1).repeat(4, 2)
  drawn = changes(KINDS, 20)
  np.testing.assert_array_equal(
      changed(image, drawn, 4), changed(cells, drawn, 1).repeat(4, 1).repeat(
          4, 2
      )
  )


def test_what_is_drawn():
  drawn = changes(KINDS)
  assert 0.4 < drawn.flip.mean() < 0.6
  # An eighth of 16 and 24 cells, and a hole of half of them.
  for axis, (far, hole, side) in enumerate(((2, 8, 16), (3, 12, 24))):
    assert {*range(-far, far + 1)} == {*drawn.shift[:, axis].tolist()}
    assert (drawn.last - drawn.first)[:, axis].tolist() == [hole] * 400
    middles = drawn.first[:, axis] + hole // 2
    assert {*range(side)} == {*middles.tolist()}


@pytest.mark.parametrize('kind', KINDS)
def test_only_what_is_wanted(kind):
  drawn = changes((kind,))
  assert drawn.flip.any() == (kind == 'flip')
  assert (drawn.shift != 0).any() == (kind == 'translation')
  assert (drawn.last > drawn.first).any() == (kind == 'cutout')


def test_it_has_a_gradient():
  x = jax.random.normal(jax.random.key(1), (1, 3, 4, 2))
  wanted = change(True, (1, -1), (2, 1), (3, 2))
  check_grads(
      jax.jit(lambda x: changed(x, wanted, 1)), (x,), 1, modes=['rev'],
      rtol=1e-2,
  )


def test_keys_are_of_the_step_and_the_place():
  state = make_state(make_method())
  first = jax.random.key_data(image_keys(state, 4, None))
  later = jax.random.key_data(
      image_keys(state.replace(step=state.step + 1), 4, None)
  )
  bits = {row.tobytes() for row in np.concatenate([first, later])}
  assert len(bits) == 8
  # As on two devices.
  parts = jax.vmap(
      lambda _: jax.random.key_data(image_keys(state, 2, 'batch')),
      axis_name='batch',
  )(jnp.zeros(2))
  assert same(parts.reshape(first.shape), first)


@pytest.mark.parametrize('encoding', ['basic', 'product'])
def test_true_and_fake_are_changed_alike(encoding):
  """The discriminator says the same of the same map in either place."""
  method = make_method(augment=KINDS, encoding=encoding)
  state, batch = make_state(method), make_batch(count=8)
  y, s_x = jax.random.uniform(jax.random.key(1), (2, 8, 4, 4, 3))
  plain = make_method(encoding=encoding)

  @functools.partial(jax.jit, static_argnums=0)
  def look(method, *maps):
    params = state.discriminator.params
    return judge(params, batch['image'], state, method)(*maps)

  one, other = look(method, y, s_x)
  again, before = look(method, s_x, y)
  assert same((one, other), (before, again))
  assert not np.allclose(one, look(plain, y, s_x)[0])
  drawn = draw(image_keys(state, 8, None), (4, 4), KINDS)
  if encoding == 'basic':
    moved = changed(y, drawn, 1)
    np.testing.assert_allclose(one, look(plain, moved, s_x)[0], rtol=1e-5)


class Pixels(nn.Module):
  """A logit for each pixel, of its own classes alone."""

  @nn.compact
  def __call__(self, maps, images):
    del images
    slope = self.param('slope', lambda _: jnp.float32(4))
    return slope * (maps[..., 0] - maps[..., 1])


def test_void_is_left_out_where_it_was():
  """Where no pixel sees another, mirrored maps are as good as the maps."""
  def after_a_step(**adversary):
    method = make_method(discriminator=Pixels(), update=HEAVY, **adversary)
    step = jax.jit(functools.partial(train_step, method=method))
    batch = make_batch(count=8, void=0.0)
    batch['label'][:, :, :6] = 255
    return step(make_state(method), batch)

  (state, metrics), (plain, usual) = (
      after_a_step(augment=kinds) for kinds in (('flip',), ())
  )
  assert_close(
      (state.segmentor, state.discriminator),
      (plain.segmentor, plain.discriminator), 1e-5,
  )
  assert_same_metrics([metrics], [usual], 1e-5)
