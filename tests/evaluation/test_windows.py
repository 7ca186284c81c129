import numpy as np
import pytest

from adseg_jax.evaluation.windows import along, slide


@pytest.mark.parametrize('length,part,margin', [
    (10, 4, 3), (11, 4, 3), (100, 32, 0), (97, 16, 5), (5, 8, 9), (1, 4, 0),
])
def test_every_pixel_is_answered_for_once_with_its_context(
    length, part, margin
):
  windows = along(length, part, margin)
  answered = [p for one in windows for p in range(one.first, one.last)]
  assert answered == list(range(length))
  for one in windows:
    assert one.start % part == 0 and one.stop - one.start <= part + 2 * margin
    for pixel in range(one.first, one.last):
      assert one.start <= max(0, pixel - margin)
      assert one.stop >= min(length, pixel + margin + 1)


def test_a_picture_that_fits_is_one_window():
  assert along(16, 8, 4) == [(0, 16, 0, 16)]
  assert len(along(17, 8, 4)) == 2


@pytest.mark.parametrize('batch', [1, 3])
@pytest.mark.parametrize('size', [(16, 16), (17, 40), (53, 31)])
def test_a_predictor_with_context_finds_what_it_finds_of_the_whole(
    rng, size, batch
):
  image = rng.integers(0, 256, (*size, 3), np.uint8)
  reach = 4

  def far(picture):
    """Sums over neighbours; zeros beyond the picture."""
    rim = (reach, reach), (reach, reach), (0, 0)
    padded = np.pad(picture.astype(int), rim)
    h, w = picture.shape[:2]
    return padded[:h, :w] + padded[2 * reach:, 2 * reach:]

  def predict(pictures, count):
    assert 1 <= len(pictures) <= count <= batch
    out = np.full((count, 8 + 2 * reach, 12 + 2 * reach, 3), -1)
    for row, one in zip(out, pictures, strict=False):
      row[:one.shape[0], :one.shape[1]] = far(one)
    return out

  found = slide(predict, image, (8, 12), reach, batch)
  np.testing.assert_array_equal(found, far(image))
