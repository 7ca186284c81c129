"""What a workdir keeps of its run, without training."""

import dataclasses
import json

import pytest
from toy import CLASSES, DATASET

from adseg_jax import files
from adseg_jax.config import Experiment
from adseg_jax.errors import UserError
from adseg_jax.settings import flatten, replaced
from adseg_jax.training import record, run, splits
from adseg_jax.training.splits import Split

SPLITS = {
    'train': Split(2, 'aaaaaaaa', {'x': '1', 'y': '2'}),
    'validation': Split(1, 'bbbbbbbb', {'z': '3'}),
}


def changed(experiment, field, value):
  return replaced(experiment, {field: value})


def another(value):
  if isinstance(value, tuple):
    return (*value, 'x') if not value or type(value[0]) is str else tuple(
        2 * one + 1 for one in value
    )
  return not value if isinstance(value, bool) else value + type(value)(1)


FIELDS = flatten(dataclasses.asdict(Experiment()))


@pytest.fixture
def workdir(tmp_path):
  """A run that has begun, and reached step 40 of 1000."""
  begin(tmp_path, Experiment())
  (tmp_path / 'checkpoints/40').mkdir(parents=True)
  return tmp_path


def begin(workdir, experiment, now=SPLITS, step=0):
  return record.begin(workdir, experiment, DATASET, now, step)


def kept(workdir):
  return json.loads((workdir / 'experiment.json').read_text())


def refused(call, *words):
  with pytest.raises(UserError) as caught:
    call()
  message = str(caught.value)
  assert '\n' not in message
  for word in words:
    assert word in message
  return message


@pytest.mark.parametrize('field', FIELDS)
def test_a_change_is_refused_or_amends_or_moves(workdir, field):
  experiment = changed(Experiment(), field, another(FIELDS[field]))
  if field in run.PLACES:
    record.check(workdir, experiment)
    return
  said = refused(lambda: record.check(workdir, experiment), f'({field} is ')
  assert ('--amend' in said) == (field in record.AMENDABLE)
  if field in record.AMENDABLE:
    record.check(workdir, experiment, amend=True)
  else:
    refused(
        lambda: record.check(workdir, experiment, amend=True), f'({field} is '
    )


def test_what_can_be_amended_are_fields():
  assert set(record.AMENDABLE) < set(FIELDS)


def longer(steps):
  return changed(Experiment(), 'optimizer.steps', steps)


def test_steps_that_have_passed(workdir):
  record.check(workdir, longer(40), amend=True)
  refused(
      lambda: record.check(workdir, longer(39), amend=True),
      '--optimizer.steps is 39', 'has reached step 40',
  )


def test_a_finished_run_is_amended_by_more_steps_only(workdir):
  run.write_json(workdir / 'scores.json', {'step': 1000})
  (workdir / 'checkpoints/1000').mkdir()
  record.check(workdir, Experiment())
  record.check(workdir, longer(1001), amend=True)
  for experiment in longer(999), changed(Experiment(), 'logging.every', 7):
    refused(
        lambda one=experiment: record.check(workdir, one, amend=True),
        'has reached step 1000: give more',
    )
  (workdir / 'checkpoints/1000').rmdir()
  refused(
      lambda: record.check(workdir, longer(1001), amend=True),
      'checkpoints of its run are gone',
  )


def test_checkpoints_of_nobody_are_refused(workdir):
  (workdir / 'experiment.json').unlink()
  refused(lambda: record.check(workdir, Experiment()), 'no experiment.json')


def test_every_start_is_kept_with_what_it_changes(workdir):
  moved = changed(Experiment(), 'data.root', '/elsewhere')
  assert begin(workdir, moved, step=20) == {}
  rate = 'optimizer.segmentor.learning_rate'
  other = changed(changed(moved, rate, 0.5), 'optimizer.steps', 3000)
  corrected = SPLITS | {'train': Split(2, 'cccccccc', {'x': '1', 'y': '9'})}
  wanted = {
      rate: [0.01, 0.5], 'optimizer.steps': [1000, 3000],
      'examples.train': ['aaaaaaaa', 'cccccccc'],
  }
  assert begin(workdir, other, corrected, 40) == wanted
  assert begin(workdir, other, corrected, 60) == {}
  content = kept(workdir)
  assert [start['step'] for start in content['starts']] == [0, 20, 40, 60]
  assert [start.get('changed') for start in content['starts']] == [
      None, None, wanted, None
  ]
  for start in content['starts']:
    assert start['time'].endswith('+00:00') and start['command']
    assert start['versions'] == run.versions()
    assert start['devices'] == run.devices() and 'commit' in start
  assert content['experiment']['optimizer']['steps'] == 3000
  assert content['experiment']['data']['root'] == '/elsewhere'
  assert content['splits'] == {
      'train': {'count': 2, 'digest': 'cccccccc'},
      'validation': {'count': 1, 'digest': 'bbbbbbbb'},
  }
  assert run.amendments(content) == [(
      f'from step 40 on: {rate} 0.5 (was 0.01), optimizer.steps 3000 (was '
      '1000), examples.train cccccccc (was aaaaaaaa)', run.command(),
  )]


def test_the_record_is_written_whole_or_not_at_all(workdir, monkeypatch):
  class Killed(BaseException):
    pass

  def write(path, content):
    path.with_name(path.name + '.tmp').write_bytes(content[:9])
    raise Killed

  before = (workdir / 'experiment.json').read_text()
  monkeypatch.setattr(files, 'write', write)
  with pytest.raises(Killed):
    begin(workdir, Experiment(), step=40)
  assert (workdir / 'experiment.json').read_text() == before


def test_scores_of_an_end_that_moved_are_kept(workdir):
  for name, step in (('scores.json', 1000), ('scores_test.json', 1000)):
    run.write_json(workdir / name, {'step': step, 'of': name})
  begin(workdir, Experiment(), step=1000)
  assert run.finished(workdir, Experiment())
  begin(workdir, longer(2000), step=1000)
  assert not run.finished(workdir, Experiment())
  for name, aside in (
      ('scores.json', 'scores_step1000.json'),
      ('scores_test.json', 'scores_test_step1000.json'),
  ):
    assert not (workdir / name).exists()
    assert json.loads((workdir / aside).read_text())['of'] == name


def test_damaged_scores_finish_no_run(workdir):
  (workdir / 'scores.json').write_text('{"step": 10')
  assert not run.finished(workdir, Experiment())
  begin(workdir, Experiment(), step=40)


def check(workdir, train=SPLITS['train'], amend=False, dataset=DATASET):
  record.check_data(workdir, dataset, SPLITS | {'train': train}, amend)


def test_the_same_data_go_on(workdir):
  check(workdir)


@pytest.mark.parametrize('now,words,replaced', [
    (Split(2, 'n', {'x': '1', 'y': '9'}), '2 examples then, 2 now; y differs',
     True),
    (Split(1, 'n', {'x': '1'}), '2 examples then, 1 now; y is gone', False),
    (Split(3, 'n', {'a': '7', 'x': '1', 'y': '2'}),
     '2 examples then, 3 now; a is new', False),
    (Split(2, 'n', {'x': '1', 'z': '2'}), '2 examples then, 2 now; y is gone',
     False),
    # What has changed lies outside of the part that is used.
    (Split(2, 'n', {'x': '1', 'y': '2'}), '2 examples then, 2 now)', True),
])
def test_other_examples_are_refused(workdir, now, words, replaced):
  said = refused(
      lambda: check(workdir, now), f'(split train: {words}', 'another --workdir'
  )
  assert ('--amend' in said) == replaced
  if replaced:
    check(workdir, now, amend=True)
  else:
    refused(lambda: check(workdir, now, amend=True), words)
  (workdir / splits.NAMES).unlink()
  refused(lambda: check(workdir, now), f'2 examples then, {now.count} now)')


@pytest.mark.parametrize('classes,words', [
    ((CLASSES[1], CLASSES[0], CLASSES[2]), 'class 0 was low, is middle'),
    (CLASSES[:2], 'class 2 was high, is none'),
    ((*CLASSES, 'new'), 'class 3 was none, is new'),
])
def test_other_classes_are_refused(workdir, classes, words):
  other = dataclasses.replace(DATASET, classes=classes)
  for amend in False, True:
    refused(lambda a=amend: check(workdir, amend=a, dataset=other), words)


def test_an_older_record_has_no_splits(workdir):
  content = kept(workdir)
  del content['splits'], content['starts']
  run.write_json(workdir / 'experiment.json', content)
  check(workdir, Split(7, 'n', {}))
  begin(workdir, Experiment(), step=40)
  assert kept(workdir)['splits']['train']['digest'] == 'aaaaaaaa'


def test_an_older_record_has_no_such_setting(workdir):
  """A field that came later had its default."""
  content = kept(workdir)
  del content['experiment']['data']['class_weights']
  (workdir / run.NAME).write_text(json.dumps(content))
  record.check(workdir, Experiment())
  weighed = changed(Experiment(), 'data.class_weights', ('a=2',))
  refused(lambda: record.check(workdir, weighed), 'data.class_weights is []')
