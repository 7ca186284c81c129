import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adseg_jax.evaluation import metrics


def _maps(seed, classes=4, shape=(3, 17, 13), void=0.2):
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, classes, shape).astype(np.uint8)
  labels[rng.random(shape) < void] = 255
  return rng.integers(0, classes, shape).astype(np.int32), labels


def _counted(predictions, labels, classes):
  counts = np.zeros((classes, classes), np.int64)
  for prediction, label in zip(predictions.flat, labels.flat, strict=True):
    if label != 255:
      counts[label, prediction] += 1
  return counts


def test_confusion_matrix_by_hand():
  labels = jnp.array([[0, 0, 1], [2, 255, 1]], jnp.uint8)
  predictions = jnp.array([[0, 1, 1], [0, 2, 1]])
  counts = metrics.confusion_matrix(predictions, labels, 3)
  assert counts.dtype == jnp.int32
  np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 2, 0], [1, 0, 0]])


@pytest.mark.parametrize('seed', range(3))
def test_confusion_matrix_equals_a_loop_over_pixels(seed):
  predictions, labels = _maps(seed)
  counts = jax.jit(metrics.confusion_matrix, static_argnums=2)(
      jnp.asarray(predictions), jnp.asarray(labels), 4
  )
  np.testing.assert_array_equal(counts, _counted(predictions, labels, 4))


def test_uint8_labels_do_not_wrap_around():
  labels = jnp.full((5,), 19, jnp.uint8)
  counts = metrics.confusion_matrix(jnp.full((5,), 20, jnp.uint8), labels, 21)
  assert counts[19, 20] == 5
  assert counts.sum() == 5


@pytest.mark.parametrize('outside', [-1, 3, 7, 255, 2**31 - 1, -(2**31)])
def test_what_is_no_class_is_counted_nowhere(outside):
  labels, predictions = jnp.array([0, 1, 2]), jnp.array([0, 1, outside])
  for pair in ((labels, predictions), (predictions, labels)):
    counts = metrics.confusion_matrix(*pair, 3)
    np.testing.assert_array_equal(counts, np.diag([1, 1, 0]))


def test_another_void_label_may_lie_among_the_classes():
  labels = jnp.array([0, 1, 2])
  counts = metrics.confusion_matrix(labels, labels, 3, void=0)
  np.testing.assert_array_equal(counts, np.diag([0, 1, 1]))


def test_renaming_the_classes_permutes_the_matrix():
  predictions, labels = _maps(0)
  names = np.array([2, 0, 3, 1])
  table = np.arange(256)
  table[:4] = names
  plain = metrics.confusion_matrix(
      jnp.asarray(predictions), jnp.asarray(labels), 4
  )
  renamed = metrics.confusion_matrix(
      jnp.asarray(table[predictions]), jnp.asarray(table[labels]), 4
  )
  mapped = np.asarray(renamed)[np.ix_(names, names)]
  np.testing.assert_array_equal(mapped, plain)
  before, after = metrics.scores(plain), metrics.scores(renamed)
  np.testing.assert_allclose(after.iou[names], before.iou, rtol=1e-12)
  assert after.mean_iou == pytest.approx(before.mean_iou, rel=1e-12)


def test_scores_by_hand():
  scores = metrics.scores(np.array([[3, 1], [2, 4]], np.int32))
  np.testing.assert_allclose(scores.iou, [3 / 6, 4 / 7])
  np.testing.assert_allclose(scores.accuracy, [3 / 4, 4 / 6])
  np.testing.assert_allclose(scores.precision, [3 / 5, 4 / 5])
  np.testing.assert_array_equal(scores.pixels, [4, 6])
  assert scores.pixel_accuracy == pytest.approx(7 / 10)
  assert scores.class_accuracy == pytest.approx((3 / 4 + 4 / 6) / 2)
  assert scores.mean_iou == pytest.approx((3 / 6 + 4 / 7) / 2)
  assert scores.frequency_weighted_iou == pytest.approx(
      0.4 * 3 / 6 + 0.6 * 4 / 7
  )


def test_scores_equal_sets_of_pixels():
  predictions, labels = _maps(1)
  scores = metrics.scores(_counted(predictions, labels, 4))
  valid = labels != 255
  for index in range(4):
    truth, guess = (labels == index) & valid, (predictions == index) & valid
    both = (truth & guess).sum()
    assert scores.iou[index] == pytest.approx(both / (truth | guess).sum())
    assert scores.accuracy[index] == pytest.approx(both / truth.sum())
    assert scores.precision[index] == pytest.approx(both / guess.sum())
  assert scores.pixel_accuracy == pytest.approx(
      (predictions == labels)[valid].mean()
  )


def test_absent_classes_are_nan_and_left_out_of_means():
  # Class 2 is predicted but never true; class 3 is in neither map.
  scores = metrics.scores(
      [[4, 0, 0, 0], [0, 2, 2, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
  )
  np.testing.assert_array_equal(scores.iou, [1, 0.5, 0, np.nan])
  np.testing.assert_array_equal(scores.accuracy, [1, 0.5, np.nan, np.nan])
  np.testing.assert_array_equal(scores.precision, [1, 1, 0, np.nan])
  assert scores.mean_iou == pytest.approx(0.5)
  assert scores.class_accuracy == pytest.approx(0.75)
  assert scores.frequency_weighted_iou == pytest.approx(0.75)


def test_scores_of_nothing_are_nan():
  scores = metrics.scores(np.zeros((3, 3), np.int32))
  assert np.isnan([
      scores.pixel_accuracy, scores.class_accuracy, scores.mean_iou,
      scores.frequency_weighted_iou, *scores.iou,
  ]).all()


def test_more_pixels_than_float32_or_int32_can_count():
  side = 2**12 + 1
  ones = jnp.ones((side, side), jnp.uint8)
  counts = metrics.confusion_matrix(ones, ones, 2)
  assert int(counts[1, 1]) == side**2 > 2**24
  total = np.zeros((2, 2), np.int64)
  for _ in range(200):
    total += np.asarray(counts)
  total[0, 1] += 1
  assert metrics.scores(total).pixels.tolist() == [1, 200 * side**2]
  assert metrics.scores(total).accuracy.tolist() == [0, 1]


def _square(left, top=10, side=20):
  label = np.zeros((40, 40), np.uint8)
  label[top:top + side, left:left + side] = 1
  return label


def test_boundary_f1_of_the_truth_is_one():
  _, label = _maps(2, shape=(17, 13))
  prediction = np.where(label == 255, 0, label)
  np.testing.assert_array_equal(
      metrics.boundary_f1(prediction, label, 5), [1, 1, 1, 1, np.nan]
  )


def test_boundary_f1_forgives_what_lies_within_tolerance():
  diagonal = np.hypot(40, 40)
  truth, moved = _square(10), _square(12)
  within = metrics.boundary_f1(moved, truth, 2, tolerance=2.01 / diagonal)
  np.testing.assert_array_equal(within, [1, 1])
  beyond = metrics.boundary_f1(moved, truth, 2, tolerance=1.99 / diagonal)
  assert (beyond > 0).all()
  assert (beyond < 1).all()


def test_boundary_f1_by_hand():
  # Boundaries of class 1: column 5 of truth, column 7 of the prediction in
  # the upper half, column 5 in the lower half and row 9, columns 5 and 6.
  label = np.zeros((20, 20), np.uint8)
  label[:, 5:] = 1
  prediction = label.copy()
  prediction[:10, 5:7] = 0
  # Column 7, rows 0 to 9; column 5, rows 10 to 19; (10, 6): 21 pixels, of
  # which (10, 5) to (19, 5) are matched exactly. The true column 5 is matched
  # in its lower half.
  precision, recall = 10 / 21, 10 / 20
  expected = 2 * precision * recall / (precision + recall)
  f1 = metrics.boundary_f1(prediction, label, 2, tolerance=0.01)
  assert f1[1] == pytest.approx(expected)


@pytest.mark.parametrize('seed', range(2))
def test_boundary_f1_equals_a_search_over_pairs(seed):
  rng = np.random.default_rng(seed)
  # Blobs: the boundary of plain noise is nearly everywhere.
  label, prediction = (
      rng.integers(0, 3, (4, 5)).repeat(4, 0).repeat(4, 1) for _ in range(2)
  )
  tolerance = 2.5 / np.hypot(16, 20)
  ours = metrics.boundary_f1(prediction, label, 3, tolerance)
  for index in range(3):
    guess, truth = _outline(prediction, index), _outline(label, index)
    precision, recall = _near(guess, truth, 2.5), _near(truth, guess, 2.5)
    expected = 2 * precision * recall / (precision + recall)
    assert ours[index] == pytest.approx(expected)


def _outline(label, index):
  height, width = label.shape
  return [
      (y, x)
      for y in range(height) for x in range(width)
      if label[y, x] == index and any(
          0 <= b < height and 0 <= a < width and label[b, a] != index
          for b, a in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
      )
  ]


def _near(points, others, reach):
  return np.mean([
      min((y - b)**2 + (x - a)**2 for b, a in others) <= reach**2
      for y, x in points
  ])


def test_boundary_f1_does_not_see_what_is_predicted_at_void():
  label = _square(10)
  label[5:15, 5:35] = 255
  rng = np.random.default_rng(0)
  clean = np.where(label == 255, 0, _square(11))
  noisy = np.where(label == 255, rng.integers(0, 2, label.shape), clean)
  clean, noisy = (metrics.boundary_f1(x, label, 2) for x in (clean, noisy))
  np.testing.assert_array_equal(clean, noisy)
  assert (clean < 1).all()


def test_boundary_f1_finds_a_boundary_inside_a_void_band():
  # A band of four pixels lies around an object that ends in its middle.
  label = np.where(_square(8, 8, 24) != _square(12, 12, 16), 255, _square(10))
  reach = 1.5 / np.hypot(40, 40)
  good = metrics.boundary_f1(_square(10), label, 2, reach)
  assert (good > 0.95).all()
  bad = metrics.boundary_f1(_square(4, 4, 32), label, 2, reach)
  assert (bad < 0.05).all()


def test_boundary_f1_of_classes_that_are_missing():
  label = np.zeros((8, 8), np.uint8)
  np.testing.assert_array_equal(
      metrics.boundary_f1(label, label, 2), [1, np.nan]
  )
  np.testing.assert_array_equal(
      metrics.boundary_f1(label + 1, label, 3), [0, 0, np.nan]
  )
  void = np.full((8, 8), 255, np.uint8)
  assert np.isnan(metrics.boundary_f1(label, void, 2)).all()


def test_boundary_f1_refuses_maps_of_different_shapes():
  with pytest.raises(ValueError, match='shapes differ'):
    metrics.boundary_f1(np.zeros((2, 3), int), np.zeros((3, 2), int), 2)
