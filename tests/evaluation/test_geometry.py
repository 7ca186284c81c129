"""What a network says of a picture depends on that picture alone."""

import functools
from typing import NamedTuple

import numpy as np
import pytest
from networks import FIRST, NETWORKS, alone, make_trained, picture

from adseg_jax.evaluation.inference import Views, Whole, make_sliding
from adseg_jax.evaluation.predict import make_predict
from adseg_jax.evaluation.trained import Trained
from adseg_jax.networks.extents import ceil_to

SIZES = FIRST, (5, 3)


class Seen(NamedTuple):
  """What a network says of pictures on one canvas: one program."""

  trained: Trained
  predict: object  # pictures -> maps on the canvas
  pictures: list  # of SIZES, a long one, and that one without what is ...
  place: int  # ... farther from this column than the radius, and nearer
  maps: np.ndarray


@pytest.fixture(scope='module')
def seen():
  return functools.cache(look)


def look(name):
  rng = np.random.default_rng(0)
  trained = make_trained(NETWORKS[name])
  radius = trained.segmentor.radius
  # Longer than a window of 32 with what it sees.
  side = ceil_to(2 * radius, 32) + 128
  *others, image = (picture(rng, *size) for size in (*SIZES, (32, side)))
  place = side // 2
  far, near = image.copy(), image.copy()
  far[:, :place - radius - 1] = far[:, place + radius + 2:] = 0
  near[:, :place - radius // 3] = near[:, place + radius // 3:] = 0
  whole = Whole(trained, Views())

  def predict(pictures):
    return np.asarray(whole(pictures, (96, side + 32), 5))

  pictures = [*others, image, far, near]
  return Seen(trained, predict, pictures, place, predict(pictures))


def assert_same(found, expected):
  np.testing.assert_allclose(found, expected, atol=1e-5)
  # Where two classes are this close, rounding decides.
  first, second = np.sort(expected, -1)[..., :-3:-1].transpose(2, 0, 1)
  clear = first - second > 1e-4
  assert clear.mean() > 0.99
  assert (found.argmax(-1) == expected.argmax(-1))[clear].all()


@pytest.mark.parametrize('name', NETWORKS)
def test_it_says_the_same_beside_others(seen, name):
  trained, _, pictures, _, found = seen(name)
  for maps, image, (h, w) in zip(found, pictures, SIZES, strict=False):
    expected = alone(trained, image)
    assert expected.std((0, 1)).max() > 0.02 or h * w < 100
    assert_same(maps[:h, :w], expected)


def test_one_at_a_time(rng, seen):
  """As `load`, `predict` and `demo` do it: on canvases of earlier pictures."""
  trained = seen('multiscale, absolute colour').trained
  predict = make_predict(trained)
  for size in ((90, 70), (33, 35), FIRST):
    image = picture(rng, *size)
    assert_same(predict(image), alone(trained, image))


@pytest.mark.parametrize('name,flip', [
    ('multiscale, absolute colour', True), ('fcn8s', False), ('fpn', False),
])
def test_windows_see_all_that_the_network_sees(seen, name, flip):
  trained, predict, (*_, image, _, _), *_ = seen(name)
  h, w = image.shape[:2]
  expected, mirrored = predict([image, image[:, ::-1]])[:2, :h, :w]
  if flip:
    expected = (expected + mirrored[:, ::-1]) / 2
  found = make_sliding(trained, Views(flip=flip, window=(32, 32)), 2)(image)
  np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize('name', NETWORKS)
def test_nothing_beyond_its_radius_reaches_a_pixel(seen, name):
  """And what is a little nearer than half of it does."""
  *_, place, maps = seen(name)
  whole, far, near = maps[len(SIZES):, :32, place]
  np.testing.assert_allclose(far, whole, atol=1e-6)
  assert np.abs(near - whole).max() > 1e-4
