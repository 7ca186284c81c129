import numpy as np
import pytest

from adseg_jax.evaluation.boundary import (
  boundary_f1,
  boundary_overlap,
  hausdorff,
)
from adseg_jax.evaluation.components import component_errors
from adseg_jax.evaluation.measures import OUTLINES, added, measure
from adseg_jax.evaluation.metrics import confusion_matrix, scores
from adseg_jax.evaluation.score import summarize
from adseg_jax.evaluation.workers import measuring


def maps(seed, size):
  rng = np.random.default_rng(seed)
  prediction, label = rng.integers(0, 3, (2, *size)).astype(np.uint8)
  label[rng.random(size) < 0.2] = 255
  return prediction, label


def test_processes_give_the_measures_in_order():
  pairs = [maps(seed, (9 + seed, 12)) for seed in range(12)]
  with measuring(3) as (submit, results):
    for pair in pairs:
      submit(*pair)
    found = results()
  assert len(found) == len(pairs)
  for one, (prediction, label) in zip(found, pairs, strict=True):
    pair = prediction, label
    np.testing.assert_array_equal(one.confusion, confusion_matrix(*pair, 3))
    np.testing.assert_array_equal(one.overlap, boundary_overlap(*pair, 3))
    values = [
        boundary_f1(*pair, 3), hausdorff(*pair, 3), *component_errors(*pair, 3)
    ]
    np.testing.assert_array_equal(one.single[0, :, :3], values)
    np.testing.assert_allclose(one.single[0, :, 3], np.mean(values, 1))
    assert (one.single[1] == 1).all()


def test_ids_up_to_254_do_not_wrap_around():
  label = np.full((4, 4), 200, np.uint8)
  found = measure(np.full((4, 4), 201, np.uint8), label, 202)
  assert found.confusion[200, 201] == 16 == found.confusion.sum()


def test_a_summary_by_hand():
  """Of three images: two squares apart, one that is right, and void."""
  truth, guess = np.zeros((2, 12, 12), np.uint8)
  truth[4:8, 4:8] = guess[4:8, 5:9] = 1
  guess[1, 1] = 1
  right = np.zeros((12, 12), np.uint8)
  void = np.full((12, 12), 255, np.uint8)
  report = summarize(added(
      measure(*pair, 3)
      for pair in ((guess, truth), (right, right), (guess, void))
  ))
  confusion = np.array([[144 + 123, 5, 0], [4, 12, 0], [0, 0, 0]])
  np.testing.assert_array_equal(report.confusion, confusion)
  assert report.scores.mean_iou == scores(confusion).mean_iou
  assert list(report.classes) == list(OUTLINES)
  # Class 0 is in two images, class 1 in one, class 2 in none.
  first = boundary_f1(guess, truth, 3)
  np.testing.assert_allclose(
      report.classes['boundary_f1'], [(first[0] + 1) / 2, first[1], np.nan]
  )
  # Of each image over its classes first.
  assert report.means['mean_boundary_f1'] == pytest.approx(
      (first[:2].mean() + 1) / 2
  )
  both, either = boundary_overlap(guess, truth, 3)
  both[0], either[0] = (x[0] + 144 - 100 for x in (both, either))
  iou = both[:2] / either[:2]
  np.testing.assert_allclose(report.classes['boundary_iou'], [*iou, np.nan])
  assert report.means['mean_boundary_iou'] == pytest.approx(iou.mean())
  # Errors are counted in both images, of all classes.
  for name, count in (
      ('spurious_components', 1), ('missing_components', 0),
      ('spurious_holes', 1), ('missing_holes', 0),
  ):
    place = int(name == 'spurious_components')
    expected = np.eye(3)[place] * count / 2
    np.testing.assert_array_equal(report.classes[name], expected)
    assert report.means[f'mean_{name}'] == pytest.approx(count / 3 / 2)
  assert report.means['mean_hausdorff_95'] == pytest.approx(
      (hausdorff(guess, truth, 3)[:2].mean() + 0) / 2
  )
