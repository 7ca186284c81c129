"""Runs that learn from images without labels."""

import dataclasses
import json

import layouts
import numpy as np
import pytest
from comparison import assert_equal_runs, lines, scores, stopped_at
from toy import on_toy

from adseg_jax.commands.control import control_of
from adseg_jax.config import Unlabelled
from adseg_jax.data import examples, shares
from adseg_jax.errors import UserError
from adseg_jax.inference import fingerprint
from adseg_jax.method.unlabelled import TERMS
from adseg_jax.training.checkpoint import Checkpoints
from adseg_jax.training.loop import train

pytestmark = pytest.mark.usefixtures('compiled_once')

ALL = Unlabelled(
    adversarial=0.1, self_training=0.1, mean_teacher=1.0, fixmatch=1.0,
    confidence=0.4, start=2,
)
NAMES = {name for term in TERMS.values() for name in term.metrics}
TRAINING = tuple(f'train/{index:02}' for index in range(11))


def learning(tiny, folder, lessons=ALL, **data):
  """An experiment in which 4 of 11 images keep their labels."""
  data = {'labelled': 4.0, 'unlabelled': str(folder)} | data
  replace, experiment = dataclasses.replace, on_toy(tiny)
  return replace(
      experiment, unlabelled=lessons, data=replace(experiment.data, **data),
      segmentor=replace(experiment.segmentor, average=20),
      adversary=replace(experiment.adversary, discriminator='patch'),
  )


@pytest.fixture(scope='module')
def more(tmp_path_factory):
  """A folder of two images without labels."""
  folder = tmp_path_factory.mktemp('more')
  for seed in range(2):
    layouts.save(layouts.photo(seed, (30, 26)), folder / f'{seed}.png')
  return folder


@pytest.fixture
def learnt(tiny, folder, more, compiled_once):
  """An undisturbed run; the first test that needs it trains it."""
  train(learning(tiny, more), folder)
  return folder


def test_what_has_labels_and_what_has_none_is_kept(learnt):
  names = json.loads((learnt / 'examples.json').read_text())
  kept = [TRAINING[place] for place in shares.kept(TRAINING, 4, 0)]
  assert sorted(names['train']) == kept
  assert names['unlabelled'].keys() == (
      {*TRAINING} - {*kept} | {'unlabelled/0', 'unlabelled/1'}
  )
  record = json.loads((learnt / 'experiment.json').read_text())
  assert record['splits']['unlabelled']['count'] == 9
  assert scores(learnt)['images'] == 5


def test_every_lesson_is_in_the_log(learnt):
  found = [line for line in lines(learnt) if line['kind'] == 'train']
  for line in found:
    assert np.isfinite([line[name] for name in NAMES]).all()
    assert line['dropped'] == 0


def test_a_stopped_run_ends_in_the_same_bits(tiny, learnt, more, tmp_path):
  with stopped_at(Checkpoints, 'save', 2):
    train(learning(tiny, more), tmp_path)
  train(learning(tiny, more), tmp_path)
  assert_equal_runs(learning(tiny, more), tmp_path, learnt)


def test_the_folder_may_move_but_not_change(tiny, learnt, more, tmp_path):
  moved = tmp_path / 'moved'
  moved.symlink_to(more)
  with stopped_at(Checkpoints, 'save', 2):
    train(learning(tiny, more), tmp_path / 'run')
  other = tmp_path / 'other'
  layouts.save(layouts.photo(0, (30, 26)), other / '0.png')
  layouts.save(layouts.photo(7, (30, 26)), other / '1.png')
  with pytest.raises(UserError, match='unlabelled/1 differs'):
    train(learning(tiny, other), tmp_path / 'run')
  train(learning(tiny, moved), tmp_path / 'run')
  assert_equal_runs(learning(tiny, more), tmp_path / 'run', learnt)


def test_another_share_is_another_experiment(tiny, learnt, more):
  for experiment, field in (
      (learning(tiny, more, labelled=5.0), 'data.labelled'),
      (learning(tiny, more, dataclasses.replace(ALL, fixmatch=2.0)),
       'unlabelled.fixmatch'),
  ):
    longer = dataclasses.replace(experiment, optimizer=dataclasses.replace(
        experiment.optimizer, steps=8
    ))
    with pytest.raises(UserError, match=field):
      train(longer, learnt, amend=True)


def test_the_control_has_the_same_labels_and_nothing_else(
    tiny, learnt, more, tmp_path
):
  train(control_of(learning(tiny, more)), tmp_path)
  ours, theirs = (
      json.loads((place / 'examples.json').read_text())
      for place in (tmp_path, learnt)
  )
  assert ours['train'] == theirs['train'] and 'unlabelled' not in ours
  assert not NAMES & lines(tmp_path)[0].keys()


def test_the_fingerprint_is_of_what_has_labels(tiny, more):
  few, all_ = (
      fingerprint.of_data(learning(tiny, more, labelled=share), 4)
      for share in (4.0, 1.0)
  )
  assert few[0] == all_[0] and few[1] != all_[1]


@pytest.mark.parametrize('lessons,data,said', [
    (ALL, {'labelled': 1.0, 'unlabelled': ''}, 'there are no unlabelled'),
    (ALL, {'unlabelled': 'nowhere'}, 'nowhere: no such folder'),
    (ALL, {'unlabelled_split': 'train'}, 'that is the training split'),
    (Unlabelled(), {}, 'nothing learns from it'),
])
def test_mistakes_are_found_before_anything_is_loaded(
    tiny, more, tmp_path, monkeypatch, lessons, data, said
):
  monkeypatch.setattr(examples, 'load', None)
  with pytest.raises(UserError, match=said):
    train(learning(tiny, more, lessons, **data), tmp_path)
  assert not [*tmp_path.iterdir()]


def test_a_discriminator_that_cannot_mask_is_refused(
    tiny, more, tmp_path, monkeypatch
):
  monkeypatch.setattr(examples, 'load', None)
  experiment = learning(tiny, more)
  experiment = dataclasses.replace(experiment, adversary=dataclasses.replace(
      experiment.adversary, discriminator='large_fov'
  ))
  with pytest.raises(UserError, match='one logit an image'):
    train(experiment, tmp_path)


def test_a_share_that_leaves_none_is_refused(tiny, more, tmp_path):
  for share, said in ((0.01, 'that is none'), (12.0, 'more than all')):
    with pytest.raises(UserError, match=f'of 11 training images, .*{said}'):
      train(learning(tiny, more, labelled=share), tmp_path)
  assert not [*tmp_path.iterdir()]
