"""The table of what is read is true, and what is read goes round."""

import re
from pathlib import Path

import forms
import layouts
import numpy as np
import pytest
from PIL import Image

from adseg_jax.config import Data
from adseg_jax.data import examples
from adseg_jax.data.check import check
from adseg_jax.data.dataset import find
from adseg_jax.data.pictures import decode
from adseg_jax.errors import UserError

PAGE = Path(__file__).parents[2] / 'docs/own_data_forms.md'
ROWS = {
    form: outcome
    for form, outcome in re.findall(
        r'^\| (.+) \| (read|refused: .+) \|$', PAGE.read_text(), re.M
    )
}


@pytest.fixture
def data(tmp_path):
  return Data(
      name='folder', root=str(tmp_path / 'mine'), held_out=0.3,
      prepared=str(tmp_path / 'prepared'),
  )


def test_every_form_has_its_row():
  lines = [line for line in PAGE.read_text().splitlines() if '|' in line]
  assert len(lines) == len(ROWS) + 2 * 3  # heads and rules of three tables
  assert ROWS.keys() == forms.ALL.keys()
  for form, outcome in ROWS.items():
    assert (outcome == 'read') == (form not in forms.REFUSED)


@pytest.mark.parametrize('form', ROWS)
def test_each_row_is_true(data, form):
  forms.ALL[form](Path(data.root))
  try:
    dataset = find(data)
    found = check(dataset, data)
    said = ' '.join(fault.detail for fault in found.faults)
  except UserError as error:
    said = str(error)
  outcome = ROWS[form].removeprefix('refused: ')
  if form in forms.REFUSED:
    assert outcome in said
    return
  assert not said
  assert re.match(r'2 classes.*; pixels are read (by|as) ', found.said[0])
  pixels = sum(tally.pixels for tally in found.tallies.values())
  part = np.bincount(forms.TRUTH.ravel(), minlength=256)
  if form in forms.READ:
    assert dataset.classes == ('sky', 'road')
    assert pixels.tolist() == (4 * part[:2]).tolist()
  else:
    assert len(dataset.classes) == 2
    assert pixels[1] == 4 * part[1] and pixels[0] >= 4 * part[0]


def loaded(data):
  dataset = find(data)
  return dataset, [
      pair for split in ('train', 'validation')
      for part in [examples.load(dataset, split, data)]
      for pair in zip(part.images, part.labels, strict=True)
  ]


@pytest.mark.parametrize('form', [
    'ids, 8-bit grey', 'colours, a palette in any order', 'ids, .gif',
    "CVAT's labelmap.txt", "labelme's labels.txt", '`id name`, in any order',
    "Roboflow's _classes.csv", 'lists in two columns',
    'what `adseg predict` wrote, with classes in another order',
    'upright, of a photograph that an EXIF tag turns',
    'train/a.jpg, train/a_mask.png, and valid (Roboflow)',
])
def test_training_reads_what_the_check_shows(data, form):
  forms.READ[form](Path(data.root))
  dataset, found = loaded(data)
  assert dataset.classes == ('sky', 'road') and len(found) == 4
  for image, label in found:
    np.testing.assert_array_equal(decode(label, 'L'), forms.TRUTH)
    assert decode(image, 'RGB').shape == (layouts.HEIGHT, layouts.WIDTH, 3)


@pytest.mark.parametrize('form', forms.READ)
def test_predictions_go_round(data, tmp_path, form):
  """Folder -> predictions -> folder, with either list of classes."""
  from adseg_jax.evaluation.trained import Trained
  from adseg_jax.inference.predict_files import (
      write_classes,
      write_prediction,
  )

  root = Path(data.root)
  forms.READ[form](root)
  dataset = find(data)
  trained = Trained(None, dataset.classes, dataset.palette, None, {}, 0)
  out = tmp_path / 'out'
  write_classes(out, trained)
  truth = layouts.ids([1, 0])
  for index in range(3):
    picture = np.asarray(layouts.photo(index))
    write_prediction(out, f'p{index}', picture, truth, trained)
    layouts.save(Image.fromarray(picture), out / f'images/p{index}.png')
  again = find(Data(name='folder', root=str(out)))
  assert again.classes == dataset.classes
  assert again.palette == dataset.palette
  kept = (out / 'classes.txt').read_bytes()
  for name in {p.name for p in root.iterdir() if p.is_file()}:
    # The list that the labels were drawn with, whatever it begins with.
    if name not in ('train.txt', 'val.txt'):
      (out / 'classes.txt').unlink(missing_ok=True)
      (out / name).write_bytes((root / name).read_bytes())
      counted(out, truth)
      (out / name).unlink()
  # Colours say what the classes are, also once a tool has saved them anew.
  (out / 'classes.txt').write_bytes(kept)
  for path in (out / 'labels').iterdir():
    Image.open(path).convert('RGB').save(path)
  counted(out, truth)


def counted(root, truth):
  data = Data(name='folder', root=str(root), held_out=0.5)
  found = check(find(data), data)
  assert not found.faults
  pixels = sum(tally.pixels for tally in found.tallies.values())
  assert pixels.tolist() == [3 * int((truth == one).sum()) for one in (0, 1)]


def test_a_prediction_of_classes_that_are_not_there_is_refused(data):
  forms.predicted(Path(data.root))
  (Path(data.root) / 'classes.txt').write_text('sky\ntree\nvoid\n')
  fault, = check(find(data), data).faults
  assert 'the label says that it holds road' in fault.detail
