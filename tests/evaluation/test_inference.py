import io

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from adseg_jax.config import Data, Experiment
from adseg_jax.data.examples import Examples
from adseg_jax.evaluation.inference import (
    Views,
    forward,
    make_sliding,
    make_whole,
)
from adseg_jax.evaluation.resampling import resample_on_host, resize_picture
from adseg_jax.evaluation.score import predictions
from adseg_jax.training.restore import Trained

TRACES = []


class Blur(nn.Module):
  """Logits from the colours around a pixel; records what is compiled."""

  num_classes: int = 3
  stride = 4

  @nn.compact
  def __call__(self, images, *, train):
    TRACES.append(images.shape)
    x = nn.Conv(self.num_classes, (5, 9), strides=4)(images)
    return 20 * x


def make_trained(size=(0, 0)):
  variables = Blur().init(
      jax.random.key(0), jnp.zeros((1, 32, 32, 3)), train=False
  )
  return Trained(
      Experiment(data=Data(size=size)), tuple('abc'), ((0, 0, 0),) * 3,
      Blur(), jax.tree.map(np.asarray, variables), 1,
  )


def picture(rng, *size):
  return rng.integers(0, 256, (*size, 3), np.uint8)


def plain(trained, image):
  """Probabilities of one image [h,w,3] in 0..1, padded to 32 and cut."""
  h, w = image.shape[:2]
  padded = np.pad(image, ((0, -h % 32), (0, -w % 32), (0, 0)), 'edge')
  return np.asarray(forward(
      trained.variables, padded[None], segmentor=trained.segmentor
  ))[0, :h, :w]


def test_whole_pictures_at_scale_one(rng):
  trained = make_trained()
  pictures = [picture(rng, 33, 50), picture(rng, 64, 64), picture(rng, 40, 40)]
  found = make_whole(trained, Views())(pictures, (64, 64), 4)
  assert found.shape == (4, 64, 64, 3)
  for row, image in enumerate(pictures):
    h, w = image.shape[:2]
    np.testing.assert_allclose(
        found[row, :h, :w], plain(trained, image / np.float32(255)), atol=1e-6
    )


def views_by_hand(trained, image, scales, flip, size=None):
  """Mean of softmax over scales and mirror images, at the image's size."""
  total = []
  for scale in scales:
    seen = [round(side * scale) for side in size or image.shape[:2]]
    view = resize_picture(image, seen)
    maps = [plain(trained, view)]
    if flip:
      # The mirror image of the padded view, as it lies in the batch.
      h, w = seen
      padded = np.pad(view, ((0, -h % 32), (0, -w % 32), (0, 0)), 'edge')
      maps.append(plain(trained, padded[:, ::-1])[:h, ::-1][:, :w])
    total.append(resample_on_host(np.mean(maps, 0), image.shape[:2]))
  return np.mean(total, 0)


@pytest.mark.parametrize('flip', [False, True])
@pytest.mark.parametrize('scales', [(0.5, 1.0, 1.5), (1.25,)])
def test_views_are_averaged_at_the_picture_s_size(rng, scales, flip):
  trained, image = make_trained(), picture(rng, 64, 96)
  views = Views(scales, flip)
  found = make_whole(trained, views)([image], (64, 96), 1)[0]
  np.testing.assert_allclose(
      found, views_by_hand(trained, image, scales, flip), atol=1e-5
  )


def test_a_run_with_a_fixed_size_sees_pictures_at_it(rng):
  trained, image = make_trained((64, 32)), picture(rng, 40, 57)
  found = make_whole(trained, Views())([image], (64, 64), 1)[0, :40, :57]
  expected = views_by_hand(trained, image, (1,), False, (64, 32))
  np.testing.assert_allclose(found, expected, atol=1e-5)
  sliding = make_sliding(trained, Views(window=(64, 32)), 2)(image)
  np.testing.assert_allclose(sliding, expected, atol=1e-5)


def test_a_window_that_holds_a_picture_equals_the_whole(rng):
  trained, image = make_trained(), picture(rng, 50, 64)
  one = Views(window=(64, 64))
  np.testing.assert_allclose(
      make_sliding(trained, one, 1)(image),
      make_whole(trained, one)([image], (64, 64), 1)[0, :50], atol=1e-6,
  )


def test_windows_agree_with_the_whole_picture(rng):
  """A smooth picture: only pixels near a window's border lack context."""
  image = np.asarray(Image.fromarray(picture(rng, 9, 12)).resize((192, 128)))
  trained = make_trained()
  whole = make_whole(trained, Views())([image], (128, 192), 1)[0]
  found = make_sliding(trained, Views(window=(64, 64)), 4)(image)
  difference = np.abs(found - whole)
  assert difference.mean() < 0.02 and difference.max() < 0.3
  assert (found.argmax(-1) == whole.argmax(-1)).mean() > 0.98


@pytest.fixture
def examples(rng):
  """Forty images, no two of one size."""
  sizes = [(20 + 5 * i, 90 + 3 * (i * 7 % 40)) for i in range(40)]

  def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, 'png')
    return file.getvalue()

  return Examples(
      tuple(png(picture(rng, *size)) for size in sizes),
      tuple(png(np.zeros(size, np.uint8)) for size in sizes),
      tuple(f'n{i:02}' for i in range(40)),
  )


@pytest.mark.parametrize('views,most', [
    (Views(), 16), (Views((0.5, 1.0)), 32),
    (Views((0.5, 1.0), window=(64, 96)), 1),
])
def test_few_shapes_compile_whatever_the_sizes(examples, views, most):
  trained = make_trained()
  jax.clear_caches()
  del TRACES[:]
  found = dict(predictions(trained, examples, views, 8))
  assert sorted(found) == list(range(40))
  for index, prediction in found.items():
    assert prediction.shape == (20 + 5 * index, 90 + 3 * (index * 7 % 40))
    assert prediction.dtype == np.uint8
  assert 1 <= len(TRACES) <= most
