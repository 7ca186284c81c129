import csv
import json

import numpy as np
import pytest
from PIL import Image

from adseg_jax import cli
from adseg_jax.errors import UserError


def evaluate(*argv):
  cli._main(['evaluate', *map(str, argv)])


def read(workdir, split='validation'):
  path = workdir / 'evaluation' / split / 'scores.json'
  return json.loads(path.read_text())


def of_training(workdir):
  return json.loads((workdir / 'scores.json').read_text())


def test_repeats_the_run_s_own_scores(trained_run, capsys, monkeypatch):
  monkeypatch.setattr('sys.argv', ['/bin/adseg', 'evaluate', 'a b'])
  evaluate(trained_run)
  found, own = read(trained_run), of_training(trained_run)
  for name in ('confusion', 'mean_iou', 'pixel_accuracy', 'step', 'images'):
    assert found[name] == own[name]
  assert found['command'] == "adseg evaluate 'a b'"
  assert found['mean_iou'] > 0.4  # the blocks are easy
  for row, theirs in zip(found['classes'], own['classes'], strict=True):
    assert row | theirs == row
    assert row['recall'] == row['accuracy']
    assert 0 < row['boundary_iou'] <= 1 and 0 < row['boundary_f1'] <= 1
  folder = trained_run / 'evaluation' / 'validation'
  with (folder / 'confusion.csv').open() as file:
    head, *rows = csv.reader(file)
  assert head[1:] == ['low', 'middle', 'high'] == [row[0] for row in rows]
  assert [[int(n) for n in row[1:]] for row in rows] == own['confusion']
  with Image.open(folder / 'confusion.png') as picture:
    assert len(np.unique(np.asarray(picture))) > 10
  assert {path.name for path in folder.iterdir()} == {
      'scores.json', 'confusion.csv', 'confusion.png'
  }
  shown = capsys.readouterr().out
  assert 'middle' in shown and 'boundary F1' in shown
  assert f'{own["mean_iou"]:.3f}' in shown


def test_views_windows_splits_and_checkpoints(trained_run, capsys):
  evaluate(trained_run, '--split', 'train', '--scales', 0.75, 1.5, '--flip',
           '--sliding', '16x24', '--checkpoint', 60)
  found = read(trained_run, 'train')
  assert found['images'] == 11 and found['step'] == 60
  assert found['views'] == {
      'scales': [0.75, 1.5], 'flip': True, 'window': [16, 24]
  }
  whole = of_training(trained_run)
  assert found['pixel_accuracy'] > 0.8 * whole['pixel_accuracy']


def test_a_resized_run_is_scored_at_the_images_own_sizes(resized_run, capsys):
  evaluate(resized_run)
  found = read(resized_run)
  own = of_training(resized_run)
  assert np.sum(found['confusion']) == np.sum(own['confusion'])
  assert found['pixel_accuracy'] > 0.5


@pytest.mark.parametrize('argv,words', [
    ([], ['give the workdir']),
    (['RUN', '--scales', '0'], ['--scales is 0']),
    (['RUN', '--scales', '1', 'nan'], ['--scales is 1.0 nan']),
    (['RUN', '--scales', 'inf'], ['--scales is inf']),
    (['RUN', '--batch', '-1'], ['--batch is -1']),
    (['RUN', '--sliding', '480'], ['--sliding is 480', '480x480']),
    (['RUN', '--sliding', '0x9'], ['--sliding is 0x9']),
    (['RUN', '--split', 'mars'], ["no split 'mars'", 'train, validation']),
    (['RUN', '--checkpoint', '7'], ['--checkpoint 7', '60, 120']),
    (['nowhere'], ['nowhere', 'no experiment.json']),
])
def test_mistakes_are_one_line(trained_run, argv, words):
  argv = [trained_run if word == 'RUN' else word for word in argv]
  with pytest.raises(UserError) as error:
    evaluate(*argv)
  assert all(word in str(error.value) for word in words)
