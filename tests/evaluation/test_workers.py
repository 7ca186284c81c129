import numpy as np
import pytest

from adseg_jax.evaluation.boundary import boundary_f1, boundary_overlap
from adseg_jax.evaluation.metrics import confusion_matrix, scores
from adseg_jax.evaluation.score import summarize
from adseg_jax.evaluation.workers import Measured, measure, measuring


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
  for one, pair in zip(found, pairs, strict=True):
    np.testing.assert_array_equal(one.confusion, confusion_matrix(*pair, 3))
    np.testing.assert_array_equal(one.boundary_f1, boundary_f1(*pair, 3))
    np.testing.assert_array_equal(one.overlap, boundary_overlap(*pair, 3))


def test_ids_up_to_254_do_not_wrap_around():
  label = np.full((4, 4), 200, np.uint8)
  found = measure(np.full((4, 4), 201, np.uint8), label, 202)
  assert found.confusion[200, 201] == 16 == found.confusion.sum()


def test_a_summary_by_hand():
  nan = np.nan
  report = summarize([
      Measured(np.diag([3, 1, 0]), np.array([1.0, 0.5, nan]),
               np.array([[2, 1, 0], [4, 1, 0]])),
      Measured(np.diag([0, 1, 0]), np.array([nan, 0.1, nan]),
               np.array([[0, 1, 0], [0, 3, 0]])),
      Measured(np.zeros((3, 3), int), np.full(3, nan),
               np.zeros((2, 3), int)),
  ])
  np.testing.assert_array_equal(report.confusion, np.diag([3, 2, 0]))
  assert report.scores.mean_iou == scores(report.confusion).mean_iou == 1
  np.testing.assert_allclose(report.boundary_f1, [1, 0.3, nan])
  # Of each image over its classes first: (0.75 + 0.1) / 2.
  assert report.mean_boundary_f1 == pytest.approx(0.425)
  np.testing.assert_allclose(report.boundary_iou, [0.5, 0.5, nan])
  assert report.mean_boundary_iou == 0.5
