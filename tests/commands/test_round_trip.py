"""Folder -> train -> predict -> folder: the classes stay what they were."""

import shutil

import layouts
import numpy as np
import pytest
import small
from PIL import Image

import adseg_jax
from adseg_jax.commands import cli
from adseg_jax.config import (
    Adversary,
    Data,
    Evaluation,
    Experiment,
    Logging,
    Optimizer,
    Segmentor,
    Update,
)
from adseg_jax.data import examples
from adseg_jax.data.dataset import find
from adseg_jax.data.pictures import decode
from adseg_jax.errors import UserError
from adseg_jax.training.loop import train

CLASSES = 'void\nwall\nsky\ngrass\n'
SIZE = 24, 32
COLOURS = np.array([(9, 9, 9), (120, 60, 30), (90, 160, 250), (20, 200, 20)])


@pytest.fixture(scope='module')
def run(prepared, tmp_path_factory):
  """A folder, whose values are those of CLASSES' lines, and a run on it."""
  root = tmp_path_factory.mktemp('round') / 'mine'
  for index in range(10):
    values = np.roll(layouts.ids([1, 2, 3, 0], SIZE), index, 1)
    layouts.grey(values, root / f'labels/n{index}.png')
    picture = Image.fromarray(COLOURS[values].astype(np.uint8))
    layouts.save(picture, root / f'images/n{index}.png')
  (root / 'classes.txt').write_text(CLASSES)
  workdir = root.parent / 'run'
  train(Experiment(
      name='round',
      data=Data(
          name='folder', root=str(root), prepared=prepared, batch=8,
          crop=(16, 16),
      ),
      segmentor=Segmentor(name=small.NAME, width=0.5),
      adversary=Adversary(weight=0.0),
      optimizer=Optimizer(
          steps=60, segmentor=Update(name='adam', learning_rate=0.01)
      ),
      evaluation=Evaluation(every=60, batch=8, panels=0),
      logging=Logging(every=30, checkpoint_every=60),
  ), workdir)
  return root, workdir


def predict(workdir, *words):
  cli._main(['predict', str(workdir), *map(str, words)])


def read(root, prepared):
  """Classes, and each example's ids."""
  data = Data(name='folder', root=str(root), prepared=prepared, held_out=0.5)
  dataset = find(data)
  found = {}
  for split in 'train', 'validation':
    part = examples.load(dataset, split, data)
    labels = [decode(label, 'L') for label in part.labels]
    found |= dict(zip(part.names, labels, strict=True))
  return dataset.classes, found


@pytest.mark.parametrize('classes', [
    None, CLASSES, 'grass\nvoid\nsky\nwall\n', 'Void\nwall\nsky\ngrass\ntree\n',
    'grass 1 1 1\nsky 2 2 2\nwall 3 3 3\n',
])
def test_what_predict_writes_reads_back(run, tmp_path, prepared, classes):
  root, workdir = run
  out = tmp_path / 'out'
  predict(workdir, root / 'images', '--output', out)
  shutil.copytree(root / 'images', out / 'images')
  if classes:
    (out / 'classes.txt').write_text(classes)
  names, found = read(out, prepared)
  segment = adseg_jax.load(workdir)
  assert segment.classes == ('wall', 'sky', 'grass') and len(found) == 10
  seen = set()
  for name, ids in found.items():
    picture = np.asarray(Image.open(root / f'images/{name}.png'))
    wanted = np.array(segment.classes)[segment(picture)[0]]
    np.testing.assert_array_equal(np.array(names)[ids], wanted)
    seen |= set(wanted.ravel())
  assert len(seen) == 3  # it has learnt something


def test_predictions_beside_labels_by_hand(run, tmp_path, prepared):
  root, workdir = run
  out, both = tmp_path / 'out', tmp_path / 'both'
  predict(workdir, root / 'images/n3.png', '--output', out)
  shutil.copytree(root, both)
  shutil.copy(out / 'labels/n3.png', both / 'labels/n3.png')
  _, hand = read(root, prepared)
  names, found = read(both, prepared)
  assert names == ('wall', 'sky', 'grass')
  for name in hand.keys() - {'n3'}:
    np.testing.assert_array_equal(found[name], hand[name])
  picture = np.asarray(Image.open(root / 'images/n3.png'))
  wanted, _ = adseg_jax.load(workdir)(picture)
  np.testing.assert_array_equal(found['n3'], wanted)


def test_a_data_set_is_not_written_over(run, tmp_path):
  root, workdir = run
  mine = tmp_path / 'mine'
  shutil.copytree(root, mine)
  with pytest.raises(UserError, match=r'has a classes\.txt of other classes'):
    predict(workdir, root / 'images', '--output', mine)
  assert (mine / 'classes.txt').read_text() == CLASSES
  label = np.asarray(Image.open(mine / 'labels/n0.png'))
  assert label.max() == 3
