"""What a run may have beside the networks' plain steps: all of it at once."""

import dataclasses

import numpy as np
import pytest
from comparison import (
  assert_equal_runs,
  final_state,
  lines,
  scores,
  stopped_at,
)
from miniature import same
from toy import DATASET, on_toy

from adseg_jax.data.examples import load
from adseg_jax.evaluation.measures import count
from adseg_jax.evaluation.score import total
from adseg_jax.inference.exporting import card
from adseg_jax.training.checkpoint import Checkpoints
from adseg_jax.training.loop import train
from adseg_jax.training.restore import restore

pytestmark = pytest.mark.usefixtures('compiled_once')


@pytest.fixture
def moving(tiny):
  return dataclasses.replace(
      on_toy(tiny),
      segmentor=dataclasses.replace(tiny.segmentor, average=16),
      adversary=dataclasses.replace(
          tiny.adversary, pull=0.5, smoothing=0.1, r1=1.0, r1_every=1,
          augment=('flip', 'translation', 'cutout'),
      ),
  )


@pytest.fixture
def moved(moving, folder):
  train(moving, folder)
  return folder


def test_it_continues_with_the_same_bits(moving, moved, tmp_path):
  with stopped_at(Checkpoints, 'save', 4):
    train(moving, tmp_path)
  train(moving, tmp_path)
  assert_equal_runs(moving, tmp_path, moved)


def test_lines_have_its_course(moved):
  found = [line for line in lines(moved) if line['kind'] == 'train']
  course = [line['lambda'] for line in found]
  # The first line is a mean over two steps, of which the first is given.
  assert np.all(np.diff(course) != 0) and course[0] != 0.1
  # By at most a factor of 100^0.05 a step.
  assert all(0.1 / 100**0.3 < value < 0.1 * 100**0.3 for value in course)


def test_the_average_is_scored_beside_the_weights(moving, moved):
  content, last = scores(moved), lines(moved)[-1]
  own = content['average']
  for name in ('pixel_accuracy', 'class_accuracy', 'mean_iou'):
    assert last[name] == content[name]
    assert last[f'average_{name}'] == own[name]
  trained = restore(moved, average=True)
  average = final_state(moving, moved).segmentor.average
  assert same(trained.variables, average)
  assert not same(trained.variables['params'], restore(moved).variables)
  matrix, _ = total(
      trained, load(DATASET, 'validation', moving.data),
      moving.evaluation.batch, count,
  )
  assert matrix.tolist() == own['confusion']


def test_a_card_has_the_scores_of_the_weights_that_are_exported(moved):
  content = scores(moved)
  for average, own in (False, content), (True, content['average']):
    (found,) = card.card(moved, restore(moved, average=average))['scores']
    assert found['mean_iou'] == own['mean_iou']
    assert found['split'] == 'validation'
    assert not found.keys() & {'average', 'confusion'}
