import io
import json

import numpy as np
import pytest
from PIL import Image

from adseg_jax.errors import UserError
from adseg_jax.training import writer

PALETTE = ((10, 20, 30), (200, 0, 100))
LOSSES = {
    'segmentation_loss': 0.5, 'adversarial_loss': 0.7,
    'discriminator_loss': 1.4, 'images_per_second': 32.0,
}


def _events(workdir):
  import tensorflow as tf

  files = sorted((workdir / 'tensorboard').iterdir())
  return [
      tf.compat.v1.Event.FromString(record)
      for path in files
      for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
  ]


def _lines(workdir):
  return (workdir / 'metrics.jsonl').read_text().splitlines()


def test_a_line_per_write_strict_and_at_once(tmp_path):
  with writer.Writer(tmp_path / 'run', 20) as run:
    run.write(10, 'train', {'a': np.float32(0.5), 'b': float('nan')})
    run.write(10, 'validation', {'mean_iou': float('inf')})
    assert _lines(tmp_path / 'run') == [
        '{"step": 10, "kind": "train", "a": 0.5, "b": null}',
        '{"step": 10, "kind": "validation", "mean_iou": null}',
    ]


def test_a_later_run_replaces_what_lies_beyond_its_start(tmp_path):
  with writer.Writer(tmp_path, 40) as run:
    for step in (10, 20, 30, 40):
      run.write(step, 'train', {'a': 0.1 * step})
  with (tmp_path / 'metrics.jsonl').open('a') as file:
    file.write('{"step": 50, "ki')  # killed while it wrote
  with writer.Writer(tmp_path, 40, start_step=20) as run:
    run.write(30, 'train', {'a': 7.0})
  lines = [json.loads(line) for line in _lines(tmp_path)]
  assert [line['step'] for line in lines] == [10, 20, 30]
  assert [line['a'] for line in lines] == [1.0, 2.0, 7.0]
  starts = [e.step for e in _events(tmp_path) if e.HasField('session_log')]
  assert starts == [1, 21]
  assert len(list(tmp_path.iterdir())) == 2


def test_a_new_run_in_the_same_folder_starts_empty(tmp_path):
  for _ in range(2):
    with writer.Writer(tmp_path, 10) as run:
      run.write(10, 'train', {'a': 1})
  assert len(_lines(tmp_path)) == 1


def test_a_damaged_file_is_named(tmp_path):
  (tmp_path / 'metrics.jsonl').write_text('{"step": 1}\nnot json\n')
  with pytest.raises(UserError, match=r'metrics\.jsonl is damaged'):
    writer.read_metrics(tmp_path / 'metrics.jsonl')


def test_tensorboard_gets_the_same_numbers(tmp_path):
  with writer.Writer(tmp_path, 10) as run:
    run.write(10, 'train', {'a': 0.25, 'b': 3})
  last = _events(tmp_path)[-1]
  assert last.step == 10
  assert {v.tag: v.simple_value for v in last.summary.value} == {
      'train/a': 0.25, 'train/b': 3.0
  }


def test_panels_show_image_truth_and_prediction(tmp_path):
  image = np.full((4, 5, 3), 77, np.uint8)
  truth = np.zeros((4, 5), np.uint8)
  truth[0, 0] = 255
  prediction = np.ones((4, 5), np.int32)
  with writer.Writer(tmp_path, 10) as run:
    run.images(
        10, [image, image[:2]], [truth, truth[:2]],
        [prediction, prediction[:2]], PALETTE,
    )
  first, second = _events(tmp_path)[-1].summary.value
  assert (first.tag, second.tag) == ('panels/0', 'panels/1')
  assert second.image.height == 2
  png = io.BytesIO(first.image.encoded_image_string)
  picture = np.asarray(Image.open(png))
  assert picture.shape == (4, 19, 3)
  assert (first.image.height, first.image.width) == (4, 19)
  np.testing.assert_array_equal(picture[:, :5], image)
  assert picture[0, 7].tolist() == [255, 255, 255]
  assert picture[1, 7].tolist() == [10, 20, 30]
  assert (picture[:, 14:] == PALETTE[1]).all()


def test_a_log_file_gets_a_line_at_intervals_and_the_last(
    tmp_path, capsys, monkeypatch
):
  now = [0.0]
  monkeypatch.setattr(writer.time, 'monotonic', lambda: now[0])
  with writer.Writer(tmp_path, 60) as run:
    for step in range(10, 70, 10):
      run.progress(step, LOSSES)
      now[0] += 8.0
  numbers = 'seg 0.500  adv 0.700  disc 1.400  32.0 images/s'
  # Eight seconds for ten steps: the line at 24 s has 20 steps to go.
  assert capsys.readouterr().out.splitlines() == [
      f'step 10/60  {numbers}  -:-- left',
      f'step 40/60  {numbers}  0:16 left',
      f'step 60/60  {numbers}  0:00 left',
  ]


def test_a_control_shows_one_loss(tmp_path, capsys):
  with writer.Writer(tmp_path, 5) as run:
    run.progress(5, {'segmentation_loss': 0.5, 'images_per_second': 1.0})
  line = capsys.readouterr().out
  assert line == 'step 5/5  seg 0.500  1.0 images/s  0:00 left\n'


@pytest.mark.parametrize('share, words', [
    (0.0, ''), (0.04, ''), (0.05, '  5% waiting'), (0.613, '  61% waiting'),
    (float('nan'), ''),
])
def test_time_spent_waiting_for_data_is_shown_where_there_is_much(
    tmp_path, capsys, share, words
):
  with writer.Writer(tmp_path, 5) as run:
    run.progress(5, {
        'segmentation_loss': 0.5, 'images_per_second': 1.0, 'waiting': share
    })
  line = capsys.readouterr().out
  assert line == f'step 5/5  seg 0.500  1.0 images/s{words}  0:00 left\n'


def test_a_terminal_gets_a_bar(tmp_path, monkeypatch, capsys):
  monkeypatch.setenv('FORCE_COLOR', '1')
  monkeypatch.setenv('TERM', 'xterm')
  monkeypatch.setenv('COLUMNS', '80')
  with writer.Writer(tmp_path, 120, start_step=60) as run:
    run.progress(90, LOSSES)
    run.message('[as it is] ' + 'x' * 90)
  out = capsys.readouterr().out
  assert '90/120' in out
  assert '━' in out
  assert 'disc 1.400  32.0 images/s  -:-- left' in out
  assert '[as it is] ' + 'x' * 90 + '\n' in out


@pytest.mark.parametrize('seconds, text', [
    (float('nan'), '-:--'), (0, '0:00'), (59.6, '1:00'), (3599, '59:59'),
    (3661, '1:01:01'),
])
def test_clock(seconds, text):
  assert writer._clock(seconds) == text
