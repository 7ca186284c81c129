import json
import os
import subprocess
import sys

import blocks
import numpy as np
import pytest

import adseg_jax
from adseg_jax.commands import cli
from adseg_jax.data import camvid
from adseg_jax.errors import UserError
from adseg_jax.inference.exporting import card
from adseg_jax.training.restore import restore

# As in the card; importing this package would fail.
LOADERS = {
    'jax': '''
import sys; sys.modules['adseg_jax'] = None
import jax, numpy as np
from jax import export
def load(folder):
  with open(f'{folder}/model.jax_export', 'rb') as file:
    return jax.jit(export.deserialize(file.read()).call)
''',
    'tensorflow': '''
import sys; sys.modules['adseg_jax'] = sys.modules['jax'] = None
import numpy as np
import tensorflow as tf
def load(folder):
  segment = tf.saved_model.load(f'{folder}/saved_model')
  def call(images):
    found = segment(images)
    return found['labels'].numpy(), found['probabilities'].numpy()
  return call
''',
}
ANSWER = '''
pictures = np.load('pictures.npz')
out = {}
for folder, names in (('own', pictures), ('resized', ['two'])):
  segment = load(folder)
  for name in names:
    labels, probabilities = segment(pictures[name])
    out[f'{folder}_{name}_labels'] = np.asarray(labels)
    out[f'{folder}_{name}_probabilities'] = np.asarray(probabilities)
np.savez('answers.npz', **out)
'''


@pytest.fixture(scope='module')
def exported(trained_run, resized_run, tmp_path_factory):
  """A folder with the exports of both runs, and pictures of odd sizes."""
  folder = tmp_path_factory.mktemp('exported')
  for name, workdir in (('own', trained_run), ('resized', resized_run)):
    cli._main(['export', str(workdir), '--output', str(folder / name)])
  rng = np.random.default_rng(4)
  images = rng.integers(0, 256, (2, 37, 70, 3), np.uint8)
  np.savez(folder / 'pictures.npz', two=images, dot=images[:1, :1, :1])
  return folder


@pytest.mark.parametrize('kind', LOADERS)
def test_runs_elsewhere_and_equals_predict(
    exported, trained_run, resized_run, kind
):
  subprocess.run(
      [sys.executable, '-c', LOADERS[kind] + ANSWER],
      cwd=exported, check=True,
      env={key: value for key, value in os.environ.items()
           if key != 'PYTHONPATH'},
  )
  answers = np.load(exported / 'answers.npz')
  pictures = np.load(exported / 'pictures.npz')
  for folder, workdir, names in (
      ('own', trained_run, ('two', 'dot')), ('resized', resized_run, ('two',))
  ):
    segment = adseg_jax.load(workdir)
    for name in names:
      labels = answers[f'{folder}_{name}_labels']
      probabilities = answers[f'{folder}_{name}_probabilities']
      assert labels.dtype == np.uint8 and probabilities.dtype == np.float32
      assert len(labels) == len(pictures[name])
      for image, ids, shares in zip(
          pictures[name], labels, probabilities, strict=True
      ):
        expected = segment(image)
        np.testing.assert_array_equal(ids, expected[0])
        np.testing.assert_allclose(shares, expected[1], atol=1e-5)


def test_the_card(exported, trained_run):
  content = json.loads((exported / 'own/card.json').read_text())
  own = json.loads((trained_run / 'scores.json').read_text())
  assert content['classes'] == list(blocks.CLASSES)
  assert content['palette'] == [list(colour) for colour in blocks.PALETTE]
  assert content['scores'][0]['mean_iou'] == own['mean_iou']
  assert content['experiment']['name'] == 'blocks'
  text = (exported / 'own/README.md').read_text()
  assert f'| validation | 5 | as in training | {own["mean_iou"]:.3f} |' in text
  assert '| 1 | middle | 90 90 90 |' in text
  assert 'at its own size' in text
  assert '48x40 pixels' in (exported / 'resized/README.md').read_text()


def test_the_card_has_scores_of_that_step_only(trained_run, tmp_path):
  (tmp_path / 'experiment.json').write_text(
      (trained_run / 'experiment.json').read_text()
  )
  scores = json.loads((trained_run / 'scores.json').read_text())
  for split, step in (('test', 120), ('train', 60)):
    folder = tmp_path / 'evaluation' / split
    folder.mkdir(parents=True)
    (folder / 'scores.json').write_text(json.dumps(scores | {
        'split': split, 'step': step, 'mean_iou': None,
        'views': {'scales': [0.5, 1.0], 'flip': True, 'window': [8, 8]},
    }))
  content = card.card(tmp_path, restore(trained_run))
  assert [one['split'] for one in content['scores']] == ['test']
  text = card.to_markdown(content)
  assert '| test | 5 | scales 0.5 1.0, mirrored, windows | \u2013 | ' in text
  content['scores'] = []
  assert 'mean IoU' not in card.to_markdown(content)


def test_the_card_tells_what_was_amended(trained_run, tmp_path):
  content = json.loads((trained_run / 'experiment.json').read_text())
  content['starts'][0]['changed'] = {'optimizer.steps': [60, 120]}
  (tmp_path / 'experiment.json').write_text(json.dumps(content))
  # Those of the end that it had before belong to that step.
  for name, step in ('scores_step120', 120), ('scores_step60', 60):
    (tmp_path / f'{name}.json').write_text(json.dumps({
        'step': step, 'split': 'x', 'images': step, 'mean_iou': 0.5,
        'pixel_accuracy': 0.5,
    }))
  found = card.card(tmp_path, restore(trained_run))
  assert [one['images'] for one in found['scores']] == [120]
  text = card.to_markdown(found)
  assert '; from step 0 on: optimizer.steps 120 (was 60). All' in text


def test_the_card_tells_the_licence_of_the_data(trained_run):
  trained = restore(trained_run)
  content = card.card(trained_run, trained)
  assert content['licence_of_the_data'] == ''
  assert card._licence('camvid') == camvid.SOURCE.licence
  content['licence_of_the_data'] = 'CC BY 4.0'
  assert 'Trained on `blocks` (CC BY 4.0), 120 steps' in card.to_markdown(
      content
  )


def test_an_older_export_is_replaced_and_nothing_else(
    trained_run, tmp_path, monkeypatch
):
  from adseg_jax.inference.exporting import programs
  monkeypatch.setattr(programs, 'to_stablehlo', lambda trained: b'program')
  monkeypatch.setattr(
      programs, 'write_saved_model', lambda path, trained: None
  )
  output = tmp_path / 'out'
  for _ in range(2):
    cli._main(['export', str(trained_run), '--output', str(output)])
    assert (output / 'model.jax_export').read_bytes() == b'program'
    (output / 'old').touch()
  assert [path.name for path in tmp_path.iterdir()] == ['out']
  (tmp_path / 'mine').mkdir()
  (tmp_path / 'mine' / 'letter').touch()
  with pytest.raises(UserError, match='is there, and no export'):
    cli._main(['export', str(trained_run), '--output', str(tmp_path / 'mine')])
  assert (tmp_path / 'mine' / 'letter').exists()

  def interrupted(path, trained):
    raise KeyboardInterrupt

  monkeypatch.setattr(programs, 'write_saved_model', interrupted)
  with pytest.raises(KeyboardInterrupt):
    cli._main(['export', str(trained_run), '--output', str(output)])
  assert (output / 'old').exists()
  assert sorted(path.name for path in tmp_path.iterdir()) == ['mine', 'out']


@pytest.mark.parametrize('words,message', [
    ([], 'give the workdir'), (['RUN'], '--output DIR'),
    (['nowhere', '--output', 'out'], 'nowhere: no experiment.json'),
    (['RUN', '--output', 'out', '--checkpoint', '1'], '--checkpoint 1'),
])
def test_mistakes_are_one_line(
    trained_run, tmp_path, monkeypatch, words, message
):
  monkeypatch.chdir(tmp_path)
  words = [str(trained_run) if word == 'RUN' else word for word in words]
  with pytest.raises(UserError, match=message):
    cli._main(['export', *words])
  assert not list(tmp_path.iterdir())
