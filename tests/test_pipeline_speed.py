"""The command that measures the training input alone."""

import contextlib
import dataclasses
import importlib
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from adseg_jax.config import Data, Experiment
from adseg_jax.data import dataset as datasets

EXPERIMENTS = Path(__file__).parents[1] / 'experiments'


@pytest.fixture
def speed(monkeypatch):
  monkeypatch.syspath_prepend(EXPERIMENTS)
  return importlib.import_module('pipeline_speed')


def write_run(folder, data, lines):
  """What a run leaves of the things that are read here."""
  ratios = {'pixel_accuracy': 0.0, 'class_accuracy': 0.0, 'mean_iou': 0.0}
  contents = {
      'experiment.json': {
          'experiment': dataclasses.asdict(Experiment(data=data)),
          'dataset': {'name': data.name, 'classes': [], 'palette': []},
          'versions': {}, 'commit': '', 'devices': '', 'command': '',
      },
      'scores.json': ratios | {
          'classes': [], 'confusion': [], 'seconds': 1.0, 'step': 2,
          'split': 'validation', 'images': 0,
      },
  }
  for name, content in contents.items():
    (folder / name).write_text(json.dumps(content))
  (folder / 'metrics.jsonl').write_text(''.join(
      json.dumps({'step': step, 'kind': 'train'} | line) + '\n'
      for step, line in enumerate(lines, 1)
  ))


def test_it_counts_images_of_the_stream(speed, prepared, monkeypatch):
  monkeypatch.setitem(datasets.MODULES, 'toy', 'toy')
  data = Data(name='toy', prepared=prepared, batch=3, crop=(32, 32))
  found = speed.measure(data, images=7, rounds=2, one_core=False)
  for values in found.values():
    # Between an image in ten seconds and what no processor can do.
    assert len(values) == 2 and all(0.1 < value < 1e5 for value in values)


def test_a_run_brings_its_settings_and_its_pace(speed, tmp_path):
  data = Data(name='earth', batch=3, crop=(32, 40), jitter=0.1)
  write_run(tmp_path, data, [
      {'images_per_second': None, 'waiting': None},
      {'images_per_second': 8.0, 'waiting': 0.02},
      {'images_per_second': 9.0, 'waiting': 0.04},
      {'images_per_second': 7.0, 'waiting': 0.03},
  ])
  case = speed.cases(speed.Arguments(runs=(str(tmp_path),)))[-1]
  assert case.data == data
  assert (case.pace, case.waiting) == (8.0, 0.03)


def test_table_and_file_have_the_medians(speed, tmp_path, monkeypatch, capsys):
  pinned = []

  def apply(function, arguments):
    assert function is speed.measure
    pinned.append(arguments[-1])
    wall = 200.0 if arguments[-1] else 390.0
    return {'wall': [1.0, wall, 999.0], 'cpu': [210.0] * 3}

  pool = contextlib.nullcontext(SimpleNamespace(apply=apply))
  monkeypatch.setattr(
      speed.multiprocessing, 'get_context',
      lambda _: SimpleNamespace(Pool=lambda _: pool),
  )
  monkeypatch.setattr(speed, 'cases', lambda _: [
      speed.Case('earth', Data()), speed.Case('run', Data(), 42.0, 0.012)
  ])
  path = tmp_path / 'speed.json'
  speed.main(speed.Arguments(output=str(path)))
  head, earth, run = capsys.readouterr().out.splitlines()
  assert earth.split() == ['earth', '200', '390', '210', '-', '-', '-']
  assert run.split() == ['run', '200', '390', '210', '42', '0.20', '1.2%']
  assert len({len(line) for line in (head, earth, run)}) == 1
  assert pinned == [True, False] * 2
  first, second = json.loads(path.read_text())['cases']
  assert first['pace'] is None and second['pace'] == 42.0
  assert second['one_core']['wall'] == [1.0, 200.0, 999.0]


def test_camvid_is_measured_where_its_folder_is_given(speed):
  names = [case.name for case in speed.cases(speed.Arguments(root='/data'))]
  assert names == ['earth', 'camvid', 'camvid 321x321']
  whole = speed.cases(speed.Arguments(root='/data'))[-1].data
  assert (whole.crop, whole.scale, whole.flip, whole.jitter) == (
      (321, 321), (0.5, 2.0), True, 0.2
  )
  assert math.isnan(speed.cases(speed.Arguments())[0].pace)
