"""What a network says of a picture depends on that picture alone."""

import functools

import numpy as np
import pytest
from networks import NETWORKS, alone, make_trained, picture

from adseg_jax.evaluation.inference import Views, Whole, make_sliding
from adseg_jax.evaluation.predict import make_predict
from adseg_jax.networks.extents import ceil_to

SIZES = (61, 37), (33, 95), (5, 3), (90, 64)


@pytest.fixture(scope='module')
def trained():
  return functools.cache(lambda name: make_trained(NETWORKS[name]))


def assert_same(found, expected):
  np.testing.assert_allclose(found, expected, atol=1e-5)
  # Where two classes are this close, rounding decides.
  first, second = np.sort(expected, -1)[..., :-3:-1].transpose(2, 0, 1)
  clear = first - second > 1e-4
  assert clear.mean() > 0.99
  assert (found.argmax(-1) == expected.argmax(-1))[clear].all()


@pytest.mark.parametrize('name', NETWORKS)
def test_it_says_the_same_beside_others(rng, trained, name):
  pictures = [picture(rng, *size) for size in SIZES]
  whole = Whole(trained(name), Views())
  found = np.asarray(whole(pictures, (96, 160), 5))
  for maps, image in zip(found, pictures, strict=False):
    h, w = image.shape[:2]
    expected = alone(trained(name), image)
    assert expected.std((0, 1)).max() > 0.02 or h * w < 100
    assert_same(maps[:h, :w], expected)
    assert_same(np.asarray(whole([image], (128, 96), 1)[0, :h, :w]), expected)


def test_one_at_a_time(rng, trained):
  """As `load`, `predict` and `demo` do it: on canvases of earlier pictures."""
  predict = make_predict(trained('multiscale'))
  for size in ((96, 96), (90, 70), (64, 64), (33, 35), (96, 97)):
    image = picture(rng, *size)
    assert_same(predict(image), alone(trained('multiscale'), image))


@pytest.mark.parametrize('name,size,flip', [
    ('multiscale', (450, 50), True),
    ('multiscale, absolute colour', (40, 390), False),
    ('fcn8s', (613, 70), False), ('dilated8', (60, 500), False),
    ('fpn', (50, 700), False),
])
def test_windows_see_all_that_the_network_sees(rng, trained, name, size, flip):
  image = picture(rng, *size)
  views = Views(flip=flip, window=(32, 32))
  expected = np.asarray(Whole(trained(name), views)(
      [image], [ceil_to(side, 32) for side in size], 1
  ))[0, :size[0], :size[1]]
  found = make_sliding(trained(name), views, 2)(image)
  np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize('name', NETWORKS)
def test_nothing_beyond_its_radius_reaches_a_pixel(rng, trained, name):
  """And what is a little nearer than half of it does."""
  radius = trained(name).segmentor.radius
  side = ceil_to(2 * radius + 40, 32)
  image = picture(rng, 32, side)
  place = side // 2
  far, near = image.copy(), image.copy()
  far[:, :place - radius - 1] = far[:, place + radius + 2:] = 0
  near[:, :place - radius // 3] = near[:, place + radius // 3:] = 0
  whole, far, near = (
      alone(trained(name), one)[:, place] for one in (image, far, near)
  )
  np.testing.assert_allclose(far, whole, atol=1e-6)
  assert np.abs(near - whole).max() > 1e-4
