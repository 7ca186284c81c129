import importlib.util
import json
from pathlib import Path

import jax
import pytest

from adseg_jax import config, settings
from adseg_jax.commands import cli, smoke
from adseg_jax.networks.segmentors import SEGMENTORS
from adseg_jax.training.validation import validate

SCRIPTS = sorted(
    path for path in (Path(__file__).parents[2] / 'experiments').glob('*.py')
    if '\nEXPERIMENT =' in path.read_text()
)


def experiment_of(path):
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda path: path.stem)
def test_every_experiment_is_valid_whole_and_shrunk(path):
  module = experiment_of(path)
  whole = module.EXPERIMENT
  small = smoke.shrink(whole)
  assert module.__doc__ and f'experiments/{path.name}' in module.__doc__
  assert whole.name == path.stem
  assert path.stem in (whole.data.name, f'{whole.data.name}_lite')
  for experiment, devices in ((whole, 1), (small, jax.local_device_count())):
    stride = SEGMENTORS[experiment.segmentor.name](num_classes=2).stride
    validate(experiment, stride, devices)
  assert small.optimizer.steps <= 4 and small.data.limit == 8
  assert small.segmentor.width < 0.1 and not small.segmentor.weights
  # What an experiment is about stays.
  assert small.segmentor.name == whole.segmentor.name
  assert small.adversary.weight == whole.adversary.weight
  assert small.data.size == whole.data.size


@pytest.mark.parametrize('labelled,few', [(1.0, 1.0), (0.01, 0.5), (93.0, 0.5)])
def test_of_few_images_some_have_labels_and_some_have_none(labelled, few):
  small = smoke.shrink(config.Experiment(
      data=config.Data(labelled=labelled),
      unlabelled=config.Unlabelled(fixmatch=1.0, start=5000),
  ))
  assert small.data.labelled == few
  assert small.unlabelled == config.Unlabelled(fixmatch=1.0)


def test_a_smoke_run_has_a_folder_of_its_own(monkeypatch, tmp_path, tiny):
  monkeypatch.setattr(jax.config, 'update', lambda *_: None)
  arguments = cli.Arguments(tiny, str(tmp_path), smoke=True)
  shrunk = smoke.shrunk(arguments)
  assert shrunk.workdir == f'{tmp_path}/smoke'
  assert json.loads(settings.to_json(shrunk.experiment))['name'] == 'tiny-smoke'
