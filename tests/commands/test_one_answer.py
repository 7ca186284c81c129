"""One answer about a picture, whoever asks and whatever lies beside it."""

import json

import blocks
import jax
import numpy as np
import pytest
from PIL import Image

import adseg_jax
from adseg_jax.commands import cli
from adseg_jax.config import Data
from adseg_jax.data.examples import load
from adseg_jax.data.pictures import decode
from adseg_jax.evaluation.inference import forward
from adseg_jax.inference.exporting.programs import segment
from adseg_jax.training.restore import restore

SIZES = (40, 57), (7, 90), (61, 61)


def example(rng, height, width):
  """Blocks of a size, with the colours that the segmentor knows."""
  levels = rng.integers(0, 3, (12, 12)).repeat(8, 0).repeat(8, 1)
  label = levels[:height, :width].astype(np.uint8)
  noise = rng.integers(0, 50, (*label.shape, 3))
  return (100 * label[..., None] + noise).astype(np.uint8)


@pytest.fixture
def pictures(rng, tmp_path):
  """{name: picture}, and their folder."""
  folder = tmp_path / 'photos'
  folder.mkdir()
  found = {}
  for number, size in enumerate(SIZES):
    found[f'p{number}'] = example(rng, *size)
    Image.fromarray(found[f'p{number}']).save(folder / f'p{number}.png')
  return found, folder


def test_predict_load_and_export_say_what_the_network_says(
    trained_run, pictures, tmp_path
):
  found, folder = pictures
  out = tmp_path / 'out'
  cli._main(['predict', str(trained_run), str(folder), '--output', str(out),
             '--probabilities'])
  trained, one_by_one = restore(trained_run), adseg_jax.load(trained_run)

  @jax.jit
  def said(variables, images):
    return tuple(
        function(variables, images, segmentor=trained.segmentor)
        for function in (forward, segment)
    )

  for name, image in found.items():
    maps, exported = said(trained.variables, image[None])
    maps = np.asarray(maps)[0]
    kept = np.load(out / f'probabilities/{name}.npz')['probabilities']
    for other in (kept, exported[1][0], one_by_one(image)[1]):
      np.testing.assert_allclose(other, maps, atol=1e-5)
    with Image.open(out / f'labels/{name}.png') as label:
      for other in (np.asarray(label), exported[0][0], one_by_one(image)[0]):
        np.testing.assert_array_equal(other, maps.argmax(-1))


def test_a_picture_alone_has_the_labels_that_it_has_among_others(
    trained_run, pictures, tmp_path
):
  _, folder = pictures
  for name, words in (('all', [folder]), ('one', [folder / 'p1.png'])):
    cli._main(['predict', str(trained_run), *map(str, words), '--output',
               str(tmp_path / name)])
  both = [tmp_path / name / 'labels/p1.png' for name in ('all', 'one')]
  assert both[0].read_bytes() == both[1].read_bytes()


@pytest.mark.parametrize('kind', ['trained_run', 'resized_run'])
def test_scores_are_of_what_load_says(kind, request, prepared):
  """Of the run's own, and of `evaluate`."""
  workdir = request.getfixturevalue(kind)
  cli._main(['evaluate', str(workdir)])
  said = [json.loads((workdir / path).read_text()) for path in (
      'scores.json', 'evaluation/validation/scores.json'
  )]
  examples = load(
      blocks.DATASET, 'validation', Data(name='blocks', prepared=prepared)
  )
  one_by_one, total = adseg_jax.load(workdir), np.zeros((3, 3), int)
  for image, label in zip(examples.images, examples.labels, strict=True):
    truth = decode(label, 'L')
    labels, _ = one_by_one(decode(image, 'RGB'))
    np.add.at(total, (truth[truth < 255], labels[truth < 255]), 1)
  # The resized run has the scores of the run that it is a copy of.
  for one in said if kind == 'trained_run' else said[1:]:
    np.testing.assert_array_equal(one['confusion'], total)
