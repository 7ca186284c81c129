import io

import numpy as np
import pytest
from PIL import Image

from adseg_jax.config import Data
from adseg_jax.data.balance import class_weights, given_weights
from adseg_jax.errors import UserError


def png(rows):
  file = io.BytesIO()
  Image.fromarray(np.array(rows, np.uint8)).save(file, 'png')
  return file.getvalue()


# Class 0 has 6 of 10 pixels of the images where it is, class 1 4 of 10, and
# class 2 4 of the 4 of its only image; class 3 is nowhere, 255 is void.
LABELS = (
    png([[0, 0, 0, 1]]), png([[0, 0, 0, 1, 1, 1, 255]]),
    png([[2, 2], [2, 2], [255, 255]]),
)


def test_values_by_hand():
  weights = 1 / np.array([0.6, 0.4, 1])
  mean = (6 * weights[0] + 4 * weights[1] + 4 * weights[2]) / 14
  found = class_weights(LABELS, 4, 1)
  np.testing.assert_allclose(found, [*(weights / mean), 1], rtol=1e-12)


def test_the_exponent_is_that_of_the_weights_before_they_are_scaled():
  weights = 1 / np.sqrt([0.6, 0.4, 1])
  mean = (weights * [6, 4, 4]).sum() / 14
  np.testing.assert_allclose(
      class_weights(LABELS, 3, 0.5), weights / mean, rtol=1e-12
  )


@pytest.mark.parametrize('exponent', [0, 0.3, 1])
def test_the_mean_over_pixels_is_one(rng, exponent):
  maps = [rng.choice([0, 1, 2, 2, 2, 255], (9, 8)) for _ in range(5)]
  weights = class_weights(map(png, maps), 3, exponent)
  pixels = np.concatenate([m.ravel() for m in maps])
  np.testing.assert_allclose(
      np.take(weights, pixels[pixels < 255]).mean(), 1, rtol=1e-12
  )
  assert (weights == (1,) * 3) == (exponent == 0)


NAMES = 'road', 'a=b', '2'


@pytest.mark.parametrize('words,weights', [
    ((), ()), (('1', '0', '2.5'), (1, 0, 2.5)), ((1, 0.5, 2), (1, 0.5, 2)),
    (('road=3',), (3, 1, 1)), (('2=0', 'a=b=4'), (1, 4, 0)),
])
def test_weights_that_are_given(words, weights):
  assert given_weights(Data(class_weights=words), NAMES) == weights


@pytest.mark.parametrize('words,said', [
    (('1', '2'), '1 2: 2 for 3 classes: give a number for each of road, a=b'),
    (('car=1',), "car=1: no class has the name 'car': give .* road, a=b, 2"),
    (('road=1', '2'), "2: no class has the name ''"),
    (('road=1', 'road=2'), 'road=2: road has a weight already'),
    (('road=',), 'road=: nothing is no weight: give 0 to 1e'),
    (('road=many',), 'road=many: many is no weight'),
    (('1', 'nan', '1'), 'nan: nan is no weight'),
    (('road=-1',), 'road=-1: -1 is no weight'),
    (('1', '1', '1e7'), '1e7: 1e7 is no weight'),
    (('0', '0', '0'), '0 0 0: no class counts'),
])
def test_weights_that_cannot_be_used(words, said):
  with pytest.raises(UserError, match=f'^--data.class-weights {said}'):
    given_weights(Data(class_weights=words), NAMES)


def test_weights_are_given_or_balanced():
  data = Data(class_weights=('road=2',), balance=0.5)
  with pytest.raises(UserError, match=r'--data.balance is 0.5, too'):
    given_weights(data, NAMES)
