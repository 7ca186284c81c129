"""Runs that go on: on the same data, or with what a person changed."""

import dataclasses
import json
import shutil

import pytest
from comparison import (
    assert_equal_runs,
    lines,
    scores,
    start,
    stopped_at,
)
from toy import on_toy

from adseg_jax.data import examples
from adseg_jax.errors import UserError
from adseg_jax.reporting.report import write_report
from adseg_jax.training import run
from adseg_jax.training.checkpoint import Checkpoints
from adseg_jax.training.loop import train
from adseg_jax.training.restore import describe, restore

pytestmark = pytest.mark.usefixtures('compiled_once')


def record(workdir):
  return json.loads((workdir / 'experiment.json').read_text())


def content(workdir):
  return {
      path: path.read_bytes() for path in workdir.rglob('*')
      if path.is_file() and path.name != run.LOCK
  }


def change(monkeypatch, edit):
  """The training split is stored as lists that `edit` has changed."""
  def reading(dataset, split, data):
    rows = sorted(stored(dataset, split, data))
    if split != 'train':
      return rows
    parts = [list(part) for part in zip(*rows, strict=True)]
    edit(*parts)
    return list(zip(*parts, strict=True))

  stored = examples.stored
  monkeypatch.setattr(examples, 'stored', reading)


def swap(names, images, labels):
  labels[3] = labels[4]
  images[3] = images[4]


def drop(names, images, labels):
  for part in (names, images, labels):
    del part[5]


@pytest.mark.parametrize('edit,words,amends', [
    (swap, 'split train: 11 examples then, 11 now; train/03 differs', True),
    (drop, 'split train: 11 examples then, 10 now; train/05 is gone', False),
])
def test_a_stopped_run_does_not_go_on_with_other_data(
    tiny, whole, tmp_path, monkeypatch, edit, words, amends
):
  with stopped_at(Checkpoints, 'save', 2):
    train(on_toy(tiny), tmp_path)
  before = content(tmp_path)
  with monkeypatch.context() as patch:
    change(patch, edit)
    with pytest.raises(UserError) as caught:
      train(on_toy(tiny), tmp_path)
    assert words in str(caught.value) and '\n' not in str(caught.value)
    assert ('--amend' in str(caught.value)) == amends
    assert content(tmp_path) == before
    if not amends:
      with pytest.raises(UserError, match='train/05 is gone'):
        train(on_toy(tiny), tmp_path, amend=True)
  train(on_toy(tiny), tmp_path)
  assert_equal_runs(on_toy(tiny), tmp_path, whole)
  assert [one['step'] for one in record(tmp_path)['starts']] == [0, 2]


def test_a_replaced_file_amends_and_is_recorded(tiny, tmp_path, monkeypatch):
  with stopped_at(Checkpoints, 'save', 2):
    train(on_toy(tiny), tmp_path)
  before = record(tmp_path)['splits']
  change(monkeypatch, swap)
  train(on_toy(tiny), tmp_path, amend=True)
  after = record(tmp_path)
  assert after['starts'][1]['changed'] == {'examples.train': [
      before['train']['digest'], after['splits']['train']['digest']
  ]}
  assert after['splits']['validation'] == before['validation']


def test_more_steps_end_as_if_they_had_been_asked_for_first(
    tiny, whole, tmp_path, capfd
):
  longer = on_toy(tiny, steps=9)
  train(longer, tmp_path / 'long')
  workdir = tmp_path / 'run'
  shutil.copytree(whole, workdir)
  with pytest.raises(UserError, match=r'or --amend to continue'):
    train(longer, workdir)
  # Killed where the scores have moved and the record has not.
  with stopped_at(run, 'write_json', 1):
    train(longer, workdir, amend=True)
  assert record(workdir) == record(whole)
  with stopped_at(Checkpoints, 'save', 1):
    train(longer, workdir, amend=True)
  assert not (workdir / 'scores.json').exists()
  assert 'Amended from step 6 on: optimizer.steps 9 (was 6)' in (
      capfd.readouterr().out
  )
  train(longer, workdir)
  assert_equal_runs(longer, workdir, tmp_path / 'long')
  assert json.loads((workdir / 'scores_step6.json').read_text()) == json.loads(
      (whole / 'scores.json').read_text()
  )
  starts = record(workdir)['starts']
  assert [one['step'] for one in starts] == [0, 6, 6]
  assert [one.get('changed') for one in starts] == [
      None, {'optimizer.steps': [6, 9]}, None
  ]
  assert describe(workdir)[0].optimizer.steps == 9
  assert restore(workdir).step == 9
  page = write_report([workdir], tmp_path / 'report.html').read_text()
  assert 'from step 6 on: optimizer.steps 9 (was 6)' in page
  # What was asked for first is another run now, and reporting starts none.
  before = content(workdir)
  train(longer, workdir, amend=True)
  with pytest.raises(UserError, match='has reached step 9'):
    train(on_toy(tiny), workdir, amend=True)
  assert content(workdir) == before


def test_fewer_steps_and_another_rate_and_cadence(tiny, whole, tmp_path):
  with stopped_at(Checkpoints, 'save', 3):
    train(on_toy(tiny), tmp_path)
  fast = dataclasses.replace(tiny.optimizer.segmentor, learning_rate=0.02)
  other = dataclasses.replace(
      on_toy(tiny, segmentor=fast, steps=5),
      logging=dataclasses.replace(tiny.logging, every=1),
  )
  train(other, tmp_path, amend=True)
  assert scores(tmp_path)['step'] == 5
  changed = record(tmp_path)['starts'][-1]['changed']
  assert changed == {
      'logging.every': [2, 1], 'optimizer.steps': [6, 5],
      'optimizer.segmentor.learning_rate': [0.01, 0.02],
  }
  steps = [one['step'] for one in lines(tmp_path) if one['kind'] == 'train']
  assert steps == [2, 3, 4, 5]
  found = [one for one in lines(tmp_path) if one['step'] <= 3]
  assert found == [one for one in lines(whole) if one['step'] <= 3]
  assert describe(tmp_path)[0] == other


# Host 1 has a picture of its own in place of the first host's.
OTHER = """
import jax
from adseg_jax.data import examples
stored = examples.stored

def reading(dataset, split, data):
  rows = sorted(stored(dataset, split, data))
  if jax.process_index() == 1 and split == 'validation':
    rows[0] = (rows[0][0], *rows[1][1:])
  return rows

examples.stored = reading
"""


@pytest.mark.slow
def test_hosts_with_other_data_are_refused_at_once(tiny, tmp_path):
  from test_hosts import free_port

  port = free_port()
  processes = [
      start(on_toy(tiny), tmp_path / 'run', (
          f"cli.join(('127.0.0.1:{port}', '2', '{index}'))\n{OTHER}"
      ), devices=2) for index in range(2)
  ]
  said = [process.communicate(timeout=300) for process in processes]
  assert [process.returncode for process in processes] == [1, 1], said
  for _, complaint in said:
    assert 'error: --distributed: host 1 has other settings, images' in (
        complaint
    ), complaint
  assert not (tmp_path / 'run').exists()
