import numpy as np
import pytest

from adseg_jax.evaluation.canvases import PIXELS, batches, canvases


def test_canvases_hold_every_picture_once(rng):
  sizes = [tuple(size) for size in rng.integers(1, 1200, (300, 2)).tolist()]
  found = canvases(sizes)
  assert sorted(i for part in found.values() for i in part) == list(range(300))
  for (height, width), part in found.items():
    assert height % 32 == width % 32 == 0
    assert all(sizes[i][0] <= height and sizes[i][1] <= width for i in part)


def test_photographs_of_all_sizes_share_few_canvases_with_little_padding(rng):
  sizes = rng.integers(300, 1201, (300, 2))
  found = canvases([tuple(size) for size in sizes.tolist()])
  pixels = sum(h * w * len(part) for (h, w), part in found.items())
  assert len(found) <= 10
  assert pixels < 1.45 * sizes.prod(1).sum()


def test_many_sizes_are_planned_soon(rng):
  sizes = [tuple(size) for size in rng.integers(1, 4000, (20_000, 2)).tolist()]
  assert sum(map(len, canvases(sizes).values())) == 20_000


def test_a_canvas_of_its_own_must_be_worth_a_program():
  few = canvases([(360, 480)] * 3 + [(64, 64)])
  assert few == {(384, 480): [0, 1, 2, 3]}
  many = canvases([(360, 480)] * 100 + [(64, 64)] * 100)
  assert list(many) == [(384, 480), (64, 64)]


@pytest.mark.parametrize('devices', [1, 8])
def test_batches_are_even_and_not_too_large(rng, devices):
  sizes = [(500, 400)] * 53 + [(2000, 3000)] * 3 + [(100, 90)] * 200
  found = batches(sizes, 16, devices)
  assert sorted(i for one in found for i in one.indices) == list(range(256))
  shapes = {(one.canvas, one.count) for one in found}
  assert len(shapes) == len({canvas for canvas, _ in shapes}) <= 3
  for one in found:
    assert len(one.indices) <= one.count <= 16 and one.count % devices == 0
    assert np.prod(one.canvas) * one.count <= max(
        PIXELS + devices * np.prod(one.canvas), devices * np.prod(one.canvas)
    )
    blank = one.count - len(one.indices)
    assert blank < max(devices, 1 + len(found))


def test_hardly_any_canvas_is_blank(rng):
  sizes = [tuple(size) for size in rng.integers(300, 1201, (300, 2)).tolist()]
  found = batches(sizes, 16)
  blank, all_ = (
      sum(np.prod(one.canvas) * count for one, count in zip(
          found, counts, strict=True
      )) for counts in (
          [one.count - len(one.indices) for one in found],
          [one.count for one in found],
      )
  )
  assert blank < 0.02 * all_


def test_no_picture_no_batch():
  assert batches([], 16) == []
