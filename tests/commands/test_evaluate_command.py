import csv
import errno
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from adseg_jax.commands import cli
from adseg_jax.errors import UserError
from adseg_jax.evaluation import score as scoring
from adseg_jax.evaluation import sheet
from adseg_jax.evaluation.measures import OUTLINES
from adseg_jax.inference.exporting import card
from adseg_jax.reporting import tables
from adseg_jax.training.restore import restore


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
    assert row['hausdorff_95'] >= 0 and row['spurious_components'] >= 0
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
  name = 'train_scales-0.75-1.5_flip_sliding-16x24_step60'
  found = read(trained_run, name)
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


@pytest.fixture
def copied(trained_run, tmp_path):
  """A copy of the run, and a function that edits its record."""
  workdir = tmp_path / 'copy'
  shutil.copytree(
      trained_run, workdir, ignore=shutil.ignore_patterns('evaluation')
  )

  def edit(change):
    path = workdir / 'experiment.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))

  return workdir, edit


def folders(workdir):
  return {path.name for path in (workdir / 'evaluation').iterdir()}


def test_other_ways_leave_the_first_scores(copied, capsys):
  workdir, _ = copied
  evaluate(workdir)
  plain = read(workdir)
  evaluate(workdir, '--scales', 0.75, 1, '--flip', '--sliding', '16x24')
  evaluate(workdir, '--checkpoint', 60)
  evaluate(workdir, '--checkpoint', 60, '--flip')
  assert read(workdir) == plain
  assert folders(workdir) == {
      'validation', 'validation_step60', 'validation_flip_step60',
      'validation_scales-0.75-1_flip_sliding-16x24',
  }
  # All of them are in the card of what is exported.
  content = card.card(workdir, restore(workdir))
  assert [one.get('views', {}).get('flip') for one in content['scores']] == [
      None, False, True
  ]
  content = card.card(workdir, restore(workdir, '60'))
  assert [one['views']['flip'] for one in content['scores']] == [True, False]


def test_a_run_that_can_only_be_read(copied, tmp_path, monkeypatch, capsys):
  workdir, _ = copied
  evaluate(workdir)
  plain = read(workdir)
  shutil.rmtree(workdir / 'evaluation')
  (workdir / 'evaluation').write_text('no folder')
  with monkeypatch.context() as patch:
    patch.setattr(scoring, 'score', lambda *_: pytest.fail('worked in vain'))
    with pytest.raises(UserError, match='give another folder as --output'):
      evaluate(workdir)
  output = tmp_path / 'a/b'
  for _ in range(2):  # scores that are there are replaced
    evaluate(workdir, '--output', output)
    found = json.loads((output / 'scores.json').read_text())
    assert found['confusion'] == plain['confusion']
    assert {path.name for path in output.iterdir()} == {
        'scores.json', 'confusion.csv', 'confusion.png'
    }
  for taken in (workdir, tmp_path / 'file'):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match=f'--output {taken}: '):
      evaluate(workdir, '--output', taken)


def test_scores_are_shown_before_a_disk_is_full(copied, monkeypatch, capsys):
  def full(*_):
    raise OSError(errno.ENOSPC, 'No space left on device')

  monkeypatch.setattr(sheet, 'write', full)
  with pytest.raises(OSError, match='No space'):
    evaluate(copied[0])
  assert 'mean IoU' in capsys.readouterr().out


def test_names_that_look_like_markup_are_shown_as_they_are():
  row = dict.fromkeys(
      ('iou', 'accuracy', 'precision', *OUTLINES)
  ) | {'name': '[red]car[/] [/x]', 'pixels': 3}
  console = Console(file=io.StringIO(), width=120)
  console.print(*sheet.tables({'classes': [row]}))
  console.print(tables.terminal(
      tables.Table(['[b]x[/b]', '[/y]'], [tables.Row(['[i]a[/i]', '[/z]'])])
  ))
  shown = console.file.getvalue()
  for text in row['name'], '[b]x[/b]', '[/y]', '[i]a[/i]', '[/z]':
    assert text in shown


def test_scores_of_an_earlier_end_get_out_of_the_way(copied, capsys):
  workdir, _ = copied
  for step in (30, 30, 120):
    folder = workdir / 'evaluation/validation'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'scores.json').write_text(json.dumps({'step': step}))
    evaluate(workdir)
    assert read(workdir)['step'] == 120
  aside = read(workdir, 'validation_step30')
  assert aside == {'step': 30}
  assert folders(workdir) == {'validation', 'validation_step30'}


def test_all_images_whatever_the_run_was_limited_to(copied, capsys):
  workdir, edit = copied
  edit(lambda content: content['experiment']['data'].update(limit=2))
  evaluate(workdir)
  assert read(workdir)['images'] == 5


def test_images_that_the_run_did_not_have(copied, capsys):
  workdir, edit = copied
  edit(lambda content: content['splits']['validation'].update(digest='other'))
  names = json.loads((workdir / 'examples.json').read_text())
  names['validation']['validation/03'] = '0'
  (workdir / 'examples.json').write_text(json.dumps(names))
  words = 'validation: 5 examples then, 5 now; validation/03 differs'
  with pytest.raises(UserError, match=words) as error:
    evaluate(workdir)
  assert '--new-data' in str(error.value) and '\n' not in str(error.value)
  assert not (workdir / 'evaluation').exists()
  evaluate(workdir, '--new-data')
  (name,) = folders(workdir)
  found = read(workdir, name)
  assert name == f'validation_data-{found["digest"][:8]}'
  assert found['new_data'] and found['images'] == 5
  text = card.to_markdown(card.card(workdir, restore(workdir)))
  assert '| scales 1.0, images that the run did not have |' in text
  # Those of the run are no new ones, and a split that it never had is free.
  evaluate(workdir, '--new-data', '--split', 'train')
  edit(lambda content: content['splits'].pop('validation'))
  evaluate(workdir)
  assert folders(workdir) == {name, 'train', 'validation'}


def test_a_split_that_the_run_was_trained_on(copied, capsys):
  workdir, edit = copied
  names = json.loads((workdir / 'examples.json').read_text())
  two = dict(list(names.pop('validation').items())[:2])
  names['train'] |= two
  (workdir / 'examples.json').write_text(json.dumps(names))
  edit(lambda content: content['splits'].pop('validation'))
  words = r'trained on 2 of the 5 examples of split validation: .* --split'
  with pytest.raises(UserError, match=words):
    evaluate(workdir)
  evaluate(workdir, '--new-data')
  (name,) = folders(workdir)
  assert name == f'validation_data-{read(workdir, name)["digest"][:8]}'


def test_other_classes_than_the_run_had(copied):
  workdir, edit = copied
  edit(lambda content: content['dataset']['classes'].reverse())
  with pytest.raises(UserError, match='class 0 was high, is low'):
    evaluate(workdir, '--new-data')
