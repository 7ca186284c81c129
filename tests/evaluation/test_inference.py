"""Looks at pictures: scales, mirror images, a size of its own."""

import numpy as np
import pytest
from networks import alone, make_trained, picture

from adseg_jax.config import Data, Experiment
from adseg_jax.evaluation import inference
from adseg_jax.evaluation.inference import Views, Whole, make_sliding
from adseg_jax.evaluation.predict import predictions
from adseg_jax.evaluation.resampling import resample_on_host, resize_picture
from adseg_jax.networks.segmentors import MultiScale

# Of absolute colour, which compiles soonest.
NETWORK = MultiScale(3, 0.1, False)


@pytest.fixture(scope='module')
def trained():
  return make_trained(NETWORK)


def one_look(trained, image):
  """What the network says of a picture that it sees once: [h,w,C]."""
  h, w = image.shape[:2]
  whole = Whole(trained, Views())
  return np.asarray(whole([image], (96, 128), 3)[0, :h, :w])


def looks_by_hand(trained, image, scales, flip, size=None):
  """Mean of softmax over scales and mirror images, at the image's size."""
  total = []
  for scale in scales:
    seen = [round(side * scale) for side in size or image.shape[:2]]
    view = resize_picture(image, seen)
    total.append(resample_on_host(one_look(trained, view), image.shape[:2]))
    if flip:
      mirrored = one_look(trained, view[:, ::-1])[:, ::-1]
      total.append(resample_on_host(mirrored, image.shape[:2]))
  return np.mean(total, 0)


@pytest.mark.parametrize('scales,flip', [
    ((1.0,), False), ((1.0,), True), ((0.5, 1.25), False), ((0.5, 1.25), True),
])
def test_looks_are_averaged_at_the_picture_s_size(rng, trained, scales, flip):
  pictures = [picture(rng, 61, 90), picture(rng, 40, 33)]
  found = Whole(trained, Views(scales, flip))(pictures, (96, 128), 3)
  assert found.shape == (3, 96, 128, 3)
  for maps, image in zip(found, pictures, strict=False):
    h, w = image.shape[:2]
    np.testing.assert_allclose(
        maps[:h, :w], looks_by_hand(trained, image, scales, flip), atol=1e-5
    )


@pytest.mark.parametrize('flip', [False, True])
def test_a_run_with_a_fixed_size_sees_pictures_at_it(rng, trained, flip):
  image = picture(rng, 40, 57)
  expected = looks_by_hand(trained, image, (1,), flip, (64, 32))
  fixed = trained._replace(experiment=Experiment(data=Data(size=(64, 32))))
  found = Whole(fixed, Views(flip=flip))([image], (64, 64), 1)
  np.testing.assert_allclose(found[0, :40, :57], expected, atol=1e-5)
  for classes in False, True:
    predict = make_sliding(
        fixed, Views(flip=flip, window=(32, 32)), 2, classes=classes
    )
    np.testing.assert_allclose(
        predict(image), expected.argmax(-1) if classes else expected, atol=1e-5
    )


def test_classes_are_the_likeliest(rng, trained):
  image = picture(rng, 300, 64)
  expected = alone(trained, image).argmax(-1)
  # Of two windows.
  windows = make_sliding(trained, Views(window=(32, 32)), 1, classes=True)
  part = image[:60]
  whole = Whole(trained, Views(), classes=True)([part], (96, 128), 3)
  for found, wanted in (
      (windows(image), expected),
      (np.asarray(whole)[0, :60, :64], one_look(trained, part).argmax(-1)),
  ):
    assert found.dtype == np.uint8
    assert (found == wanted).mean() > 0.999


@pytest.mark.parametrize('views,most', [
    (Views((0.5, 1.0)), 2), (Views((0.5, 1.0), window=(32, 32)), 2),
])
def test_few_programs_compile_whatever_the_sizes(rng, trained, views, most):
  sizes = [(20 + 11 * i, 30 + 3 * (i * 7 % 12)) for i in range(3)]
  before = inference._look._cache_size()
  found = list(predictions(
      trained, sizes, lambda i: picture(rng, *sizes[i]), views, 8
  ))
  assert sorted(index for index, *_ in found) == list(range(3))
  for index, image, prediction in found:
    assert prediction.shape == sizes[index] == image.shape[:2]
    assert prediction.dtype == np.uint8
  assert 1 <= inference._look._cache_size() - before <= most


@pytest.mark.parametrize('window', [None, (32, 32)])
def test_a_picture_that_cannot_be_read_is_none_and_the_others_stay(
    rng, trained, window
):
  pictures = [picture(rng, 40 + i, 50) for i in range(5)]
  pictures[2] = None
  found = {index: rest for index, *rest in predictions(
      trained, [(40 + i, 50) for i in range(5)], pictures.__getitem__,
      Views(window=window), 3, classes=False,
  )}
  assert found.pop(2) == [None, None]
  for index, (image, maps) in found.items():
    assert image is pictures[index]
    np.testing.assert_allclose(maps, one_look(trained, image), atol=1e-5)
