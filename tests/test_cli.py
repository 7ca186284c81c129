import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from adseg_jax import cli, config
from adseg_jax.config import Experiment, flatten
from adseg_jax.errors import UserError
from adseg_jax.training.loop import train

ROOT = Path(__file__).parents[1]
DEFAULT = cli.Arguments(Experiment(name='x'), Path('runs/x'))


def parse(*argv):
  return cli.parse(cli.Arguments, DEFAULT, 'Says what it is.', list(argv))


def failure(capsys, command):
  """What a person sees of a command that fails: one line, status 1."""
  with pytest.raises(SystemExit) as stop:
    cli.guard(command)
  # A string as exit code is printed to stderr and gives status 1.
  message = stop.value.code
  assert isinstance(message, str)
  assert message.startswith('error: ')
  assert '\n' not in message
  out, err = capsys.readouterr()
  assert 'Traceback' not in out + err
  return message


@pytest.mark.parametrize('argv,words', [
    (['--optimzer.steps', '3'],
     ['--optimzer.steps', 'did you mean --optimizer.steps']),
    (['--optimizer.steps', 'many'], ['--optimizer.steps', 'many']),
    (['--data.crop', '64'], ['--data.crop']),
    (['--adversary.objective', 'wgan'], ['wgan', 'lsgan']),
    (['--segmentor.name', 'unet'], ['unet', 'multiscale']),
    (['--adversary.discriminator', 'small'], ['small', 'small_fov_light']),
    (['--adversary.encoding', 'raw'], ['raw', 'product']),
])
def test_a_wrong_option_is_one_line(capsys, argv, words):
  message = failure(capsys, lambda: parse(*argv))
  assert all(word in message for word in words)


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


def test_a_workdir_that_is_a_file(capsys, tmp_path):
  path = tmp_path / 'file'
  path.write_text('mine')
  message = failure(capsys, lambda: train(Experiment(), path))
  assert str(path) in message
  assert path.read_text() == 'mine'


def test_a_damaged_experiment_file(capsys, tmp_path):
  (tmp_path / 'experiment.json').write_text('{')
  message = failure(capsys, lambda: train(Experiment(), tmp_path))
  assert 'experiment.json' in message
  assert (tmp_path / 'experiment.json').read_text() == '{'


def test_every_field_can_be_overridden_and_has_help(capsys):
  with pytest.raises(SystemExit) as stop:
    parse('--help')
  assert stop.value.code in (0, None)
  shown = capsys.readouterr().out
  assert 'Says what it is.' in shown
  fields = flatten(dataclasses.asdict(Experiment()))
  for name in fields:
    assert f'--{name.replace("_", "-")}' in shown
  described = ' '.join(shown.replace('│', ' ').split())
  for text in ('pixels', 'in steps', 'Images per step'):
    assert text in described


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
  ours = flatten(dataclasses.asdict(cli.control_of(experiment)))
  theirs = flatten(dataclasses.asdict(experiment))
  changed = {name for name in ours if ours[name] != theirs[name]}
  assert changed == {'name', 'adversary.weight'}
  assert ours['adversary.weight'] == 0


def test_json_holds_every_field():
  content = json.loads(config.to_json(Experiment()))
  assert flatten(content).keys() == flatten(
      dataclasses.asdict(Experiment())
  ).keys()


def test_an_interrupt_says_how_to_continue():
  def interrupted():
    raise KeyboardInterrupt

  with pytest.raises(SystemExit, match='the same command continues'):
    cli.guard(interrupted)


def test_the_script_itself_fails_in_one_line(tmp_path):
  """The real process, from a folder that is not the repository."""
  done = subprocess.run(
      [sys.executable, ROOT / 'experiments' / 'earth.py', '--data.batch', '3',
       '--data.crop', '30', '30', '--workdir', tmp_path / 'run'],
      capture_output=True, text=True, cwd=tmp_path,
  )
  assert done.returncode == 1
  assert done.stderr.startswith('error: --data.crop is 30 30')
  assert done.stderr.count('\n') == 1
  assert not done.stdout
  assert not (tmp_path / 'run').exists()


def test_unknown_data_set_lists_the_known_ones():
  with pytest.raises(UserError, match='known: .*earth'):
    train(dataclasses.replace(
        Experiment(), data=config.Data(name='venus')
    ), Path('nowhere'))
