"""A run that the commands read, trained once."""

import json
import shutil
import sys

import blocks
import pytest
import small

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
from adseg_jax.data import dataset as datasets
from adseg_jax.training.loop import train


@pytest.fixture(autouse=True)
def registered(monkeypatch):
  monkeypatch.setitem(datasets.MODULES, 'blocks', 'blocks')
  monkeypatch.setitem(sys.modules, 'blocks', blocks)


@pytest.fixture(scope='session')
def trained_run(prepared, tmp_path_factory):
  """The workdir of a segmentor that has learned the blocks."""
  workdir = tmp_path_factory.mktemp('trained') / 'run'
  experiment = Experiment(
      name='blocks',
      data=Data(name='blocks', prepared=prepared, batch=8, crop=(24, 24)),
      segmentor=Segmentor(name=small.NAME, width=0.5),
      adversary=Adversary(weight=0.0),
      optimizer=Optimizer(
          steps=120, segmentor=Update(name='adam', learning_rate=0.01)
      ),
      evaluation=Evaluation(every=120, batch=8, panels=0),
      logging=Logging(every=30, checkpoint_every=60),
  )
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(datasets.MODULES, 'blocks', 'blocks')
    train(experiment, workdir)
  return workdir


@pytest.fixture(scope='session')
def resized_run(trained_run, tmp_path_factory):
  """The same network, as if trained with --data.size."""
  workdir = tmp_path_factory.mktemp('resized') / 'run'
  shutil.copytree(trained_run, workdir)
  path = workdir / 'experiment.json'
  content = json.loads(path.read_text())
  content['experiment']['data']['size'] = [48, 40]
  path.write_text(json.dumps(content))
  return workdir
