import dataclasses
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from etils import epath

from adseg_jax.commands import cli, jobs
from adseg_jax.commands import run as command
from adseg_jax.errors import Stopped, UserError
from adseg_jax.settings import flatten
from adseg_jax.training.run import alone

EARTH = Path(__file__).parents[2] / 'experiments' / 'earth.py'
# Trains in no time: copies a finished run and says whose it is. A file named
# 'crash' beside the script ends seed 1 with status 3, after it has begun. With
# 'meet' a run waits until another process, which claims its folder, has one.
SCRIPT = '''
import dataclasses, fcntl, json, os, shutil, sys, time
from pathlib import Path

from adseg_jax.config import Adversary, Experiment, Optimizer

EXPERIMENT = Experiment(
    name='<Toy>', adversary=Adversary(weight=0.1),
    optimizer=Optimizer(steps=4),
)

if __name__ == '__main__':
  here = Path(__file__).parent
  options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
  if (here / 'refuse').exists():
    sys.exit('error: no such images')
  weight = float(options.get('--adversary.weight', 0.1))
  folder = Path(options['--workdir'])
  folder.mkdir(parents=True, exist_ok=True)
  claim = open(folder / '.lock', 'a')
  try:
    fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    sys.exit('error: another run is in it')
  if (folder / 'scores.json').exists():
    sys.exit()
  if (here / 'meet').exists():
    with open(here / 'met', 'a') as met:
      met.write(f'{os.getppid()} {folder}\\n')
    end = time.monotonic() + 120
    while len({line.split()[0] for line in open(here / 'met')}) < 2:
      assert time.monotonic() < end
      time.sleep(0.05)
  shutil.copytree(here / f'weight{weight:g}', folder, dirs_exist_ok=True)
  path = folder / 'experiment.json'
  about = json.loads(path.read_text())
  about['experiment'] |= {
      'seed': int(options['--seed']), 'name': options.get('--name', '<Toy>'),
  }
  path.write_text(json.dumps(about))
  with open(here / 'log', 'a') as log:
    log.write(folder.name + '\\n')
  if (here / 'crash').exists() and options['--seed'] == '1':
    (folder / 'scores.json').unlink()
    sys.exit(3)
  if (here / 'refused late').exists():
    sys.exit('error: another run is in it')
  if (here / 'stop').exists():
    (folder / 'scores.json').unlink()
  if (here / 'slow').exists():
    (folder / 'scores.json').unlink()
    time.sleep(60)
'''


@pytest.fixture
def script(tmp_path, monkeypatch):
  """An experiment script, and the runs that it copies."""
  monkeypatch.syspath_prepend(Path(__file__).parents[1] / 'reporting')
  from fake_run import write_run

  for weight in (0.0, 0.1):
    write_run(tmp_path / f'weight{weight:g}', weight=weight)
  path = tmp_path / 'toy_script.py'
  path.write_text(SCRIPT)
  return path


def _arguments(script, *argv):
  words = [str(script), '--workdir', str(script.parent / 'runs'), *argv]
  kind = command.Arguments
  return cli.parse(kind, kind(), kind.__doc__, words)


def test_a_plan_pairs_every_seed_with_every_arm(tmp_path):
  found = jobs.plan(
      EARTH, (4, 2), (), tmp_path, [('adversary.weight', '0.2')]
  )
  assert [job.name for job in found] == [
      'standard, seed 4', 'adversarial, seed 4', 'standard, seed 2',
      'adversarial, seed 2',
  ]
  standard, adversarial = found[:2]
  assert standard.workdir == tmp_path / 'standard' / 'seed4'
  assert standard.experiment.adversary.weight == 0
  assert adversarial.experiment.adversary.weight == 0.2
  ours, theirs = (
      flatten(dataclasses.asdict(job.experiment)) for job in found[:2]
  )
  assert {key for key in ours if ours[key] != theirs[key]} == {
      'name', 'adversary.weight'
  }


def test_folds_have_folders_of_their_own(tmp_path):
  found = jobs.plan(EARTH, (1, 0), (), tmp_path, folds=(3, 0))
  assert [job.name for job in found[::2]] == [
      f'standard, fold {fold}, seed {seed}' for seed in (1, 0)
      for fold in (3, 0)
  ]
  assert found[1].workdir == tmp_path / 'adversarial' / 'fold3' / 'seed1'
  assert found[1].experiment.data.fold == 3
  with pytest.raises(UserError, match='either it or --folds'):
    jobs.plan(EARTH, (0,), (), tmp_path, [('data.fold', '1')], folds=(0, 1))


@pytest.mark.parametrize('place', [0, 1, 2])
def test_the_script_gets_the_planned_experiment(place, tmp_path):
  """Its own command line gives what `check` was asked about."""
  job = jobs.plan(
      EARTH, (3,), [
          ('a',), ('b', 'adversary.encoding', 'scaling', 'data.scale', '1', '2')
      ], tmp_path,
      [('data.crop', '32', '64'), ('data.no-flip',),
       ('adversary.weight', '0.5')], folds=(2,),
  )[place]
  assert job.command[:2] == (sys.executable, str(EARTH))
  given = jobs.load(EARTH)
  parsed = cli.parse(
      cli.Arguments, cli.Arguments(given, 'x'), '', job.command[2:]
  )
  assert parsed.experiment == job.experiment
  assert parsed.workdir == str(job.workdir)
  assert not parsed.control
  assert job.experiment.data.crop == (32, 64)
  assert not job.experiment.data.flip


@pytest.mark.parametrize('settings,words', [
    ([('optimzer.steps', '3')], ['--set', 'did you mean --optimizer.steps?']),
    ([('optimizer.steps', 'many')], ['--set', 'many', 'lists the fields']),
    ([('control',)], ['--control', 'earth.py --help']),
    ([('seed', '3')], ['--seeds']), ([()], ['--set']),
])
def test_a_setting_that_cannot_be(settings, words, tmp_path):
  with pytest.raises(UserError) as error:
    jobs.plan(EARTH, (0,), (), tmp_path, settings)
  assert all(word in str(error.value) for word in words)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize('content,words', [
    (None, 'no such experiment script'), ('x = 1', 'holds no experiment'),
    ('EXPERIMENT = 3', 'holds no experiment'), ('x = (', 'SyntaxError'),
    ('import sys; sys.exit(2)', 'SystemExit'), ('import nope', 'nope'),
])
def test_a_script_that_is_none(content, words, tmp_path):
  script = tmp_path / 'script.py'
  if content is not None:
    script.write_text(content)
  before = list(sys.path)
  with pytest.raises(UserError, match=words):
    jobs.load(script)
  assert sys.path == before


def test_runs_then_reports_then_leaves_what_is_finished(script, capfd):
  arguments = _arguments(script, '--seeds', '0', '2')
  command.run(arguments)
  out = capfd.readouterr().out
  assert '[4/4] adversarial, seed 2: ' in out
  assert 'All runs are done.' in out
  assert 'Report: ' in out and 'adversary.weight' in out
  for name in ('report.html', 'report.md', 'report.csv'):
    assert (Path(arguments.workdir) / name).exists()
  tables = (Path(arguments.workdir) / 'report.md').read_text()
  assert '| adversary.weight 0.1 | validation | 2 |' in tables
  for seed in (0, 2):
    assert f'| adversary.weight 0.1, seed {seed} | validation |' in tables
  command.run(arguments)
  words = [line.split() for line in capfd.readouterr().out.splitlines()]
  for arm in ('standard', 'adversarial'):
    assert words.count([arm, '2', '0', '0', '0']) == 1
  assert len((script.parent / 'log').read_text().splitlines()) == 4


def test_a_crash_leaves_the_other_runs(script, capfd):
  (script.parent / 'crash').touch()
  arguments = _arguments(
      script, '--seeds', '1', '0', '--set', 'adversary.weight', '0'
  )
  with pytest.raises(UserError, match=r'1 of 2 runs failed \(standard, seed 1'):
    command.run(arguments)
  out = capfd.readouterr().out
  assert 'failed with status 3' in out
  words = [line.split() for line in out.splitlines()]
  assert ['standard', '0', '0', '0', '2'] in words
  assert ['standard', '1', '0', '1', '0'] in words
  table = (Path(arguments.workdir) / 'report.md').read_text()
  assert 'seed 0 | validation |' in table and 'seed 1 |' not in table
  (script.parent / 'crash').unlink()
  command.run(arguments)
  log = (script.parent / 'log').read_text().split()
  assert log == ['seed1', 'seed0', 'seed1']


def test_a_run_that_is_refused_ends_all(script, capfd):
  (script.parent / 'refuse').touch()
  arguments = _arguments(script, '--seeds', '0', '1')
  with pytest.raises(UserError, match='standard, seed 0 was refused'):
    command.run(arguments)
  assert capfd.readouterr().out.count('[') == 1
  assert not Path(arguments.workdir).exists()


def test_a_folder_with_another_run_is_found_before_training(script):
  arguments = _arguments(
      script, '--seeds', '0', '--set', 'adversary.weight', '0'
  )
  command.run(arguments)
  with pytest.raises(UserError, match=r'optimizer\.steps is 4 there, 9 here'):
    command.run(_arguments(
        script, '--seeds', '7', '0', '--set', 'optimizer.steps', '9'
    ))
  assert not (Path(arguments.workdir) / 'standard' / 'seed7').exists()


def test_sigterm_ends_the_run_too(script):
  (script.parent / 'slow').touch()
  code = 'from adseg_jax.commands.cli import main; main()'
  words = ['run', str(script), '--seeds', '0', '--workdir',
           str(script.parent / 'runs')]
  process = subprocess.Popen(
      [sys.executable, '-c', code, *words], stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, text=True,
  )
  deadline = time.monotonic() + 60
  while not (script.parent / 'log').exists() and time.monotonic() < deadline:
    time.sleep(0.05)
  start = time.monotonic()
  os.kill(process.pid, signal.SIGTERM)
  out, error = process.communicate(timeout=30)
  assert time.monotonic() - start < 30  # the run would sleep for 60 s
  assert (process.returncode, error) == (0, '')
  assert out.endswith('stopped: the same command continues\n')


def test_a_run_that_was_stopped_is_no_failure(script):
  (script.parent / 'stop').touch()
  with pytest.raises(Stopped, match='the same command continues'):
    command.run(_arguments(script, '--seeds', '0', '1'))
  assert len((script.parent / 'log').read_text().split()) == 1


@pytest.mark.parametrize('options,words', [
    (['--seeds'], 'at least one'),
    (['--seeds', '0', '-1'], '--seed is -1'),
    (['--folds', '0', '1'], 'data set earth has none'),
    (['--folds', '1'], 'data set earth has no folds'),
    (['--set', 'data.fold', '3'], 'data set earth has no folds'),
    (['--set', 'data.name', 'mars'], 'no such data set; known'),
    (['--set', 'data.name', 'stanford_background', '--folds', '4', '5'],
     '--data.fold is 5'),
    (['--arm', 'a', '--arm', 'b', 'adversary.tau', '2'], '--adversary.tau is'),
    (['--set', 'data.class-weights', 'sea=1'], 'sea'),
    (['--arm', 'a', 'data.labelled', '0.5', 'unlabelled.self-training', '0.1'],
     'one logit an image'),
    (['--arm', 'a', 'data.unlabelled', 'gone', 'unlabelled.fixmatch', '1'],
     'gone: no such folder'),
    (['--arm', 'a', 'data.unlabelled-split', 'train', 'unlabelled.fixmatch',
      '1'], 'that is the training split'),
])
def test_what_a_later_run_would_refuse_starts_nothing(script, options, words):
  for more in ((), ('--list',)):
    with pytest.raises(UserError, match=words) as error:
      command.run(_arguments(script, *options, *more))
    assert '\n' not in str(error.value)
  assert not (script.parent / 'log').exists()


def test_a_list_has_the_commands_and_does_nothing(script, capfd):
  script = script.rename(script.with_name("a script's.py"))
  arguments = _arguments(
      script, '--seeds', '0', '1', '--arm', 'one', '--arm', 'two',
      'adversary.tau', '0.5', '--set', 'data.root', "it's here", '--list',
  )
  command.run(arguments)
  out, err = capfd.readouterr()
  lines = out.splitlines()
  assert len(lines) == 6 and not err
  assert not Path(arguments.workdir).exists()
  for line in lines:
    subprocess.run(line, shell=True, check=True, cwd='/')
  planned = jobs.plan(
      script, (0, 1), arguments.arms, arguments.workdir, arguments.settings
  )
  assert [tuple(shlex.split(line)) for line in lines] == [
      job.command for job in planned
  ]
  assert all(job.finished for job in planned)


def test_arms_of_two_schedules_have_a_report_each(script, capfd):
  arguments = _arguments(
      script, '--seeds', '0', '--arm', 'short', '--arm', 'long', 'data.batch',
      '32',
  )
  command.run(arguments)
  folder = Path(arguments.workdir)
  found = {path.name for path in folder.iterdir()}
  assert found == {'short', 'long', 'standard', 'standard-long'} | {
      f'{name}.{end}' for name in ('report', 'report-standard-long')
      for end in ('html', 'md', 'csv')
  }
  for name, arm in ('report', 'short'), ('report-standard-long', 'long'):
    tables = (folder / f'{name}.md').read_text()
    control = 'standard' + '-long' * (arm == 'long')
    for run in (arm, control):
      assert f' {folder}/{run}/seed0 |' in tables
    assert tables.count('/seed0 |') == 2


def _started(script, *argv):
  words = ['run', str(script), '--workdir', str(script.parent / 'runs'), *argv]
  return subprocess.Popen(
      [sys.executable, '-c',
       'from adseg_jax.commands.cli import main; main()', *words],
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
  )


@pytest.mark.slow
def test_two_processes_on_one_folder_take_different_runs(script):
  """Neither trains what the other does, both train, and all is reported."""
  (script.parent / 'meet').touch()
  both = [_started(script, '--seeds', '0', '1', '2') for _ in range(2)]
  said = [process.communicate(timeout=300)[0] for process in both]
  assert [process.returncode for process in both] == [0, 0], said
  took = [
      line.split() for line in (script.parent / 'met').read_text().splitlines()
  ]
  assert len(took) == len({folder for _, folder in took}) == 6
  assert {int(parent) for parent, _ in took} == {one.pid for one in both}
  tables = (script.parent / 'runs' / 'report.md').read_text()
  assert tables.count('| validation | 3 |') == 2
  # Nothing half written is left.
  assert not list((script.parent / 'runs').rglob('*.tmp'))


def test_what_another_process_finished_meanwhile_has_not_failed(script, capfd):
  """A run was refused, and the other one has ended by the next look."""
  (script.parent / 'refused late').touch()
  command.run(_arguments(script, '--seeds', '0'))
  out = capfd.readouterr().out
  assert 'All runs are done.' in out and 'failed' not in out


def test_a_run_of_another_process_is_left_to_it(script, capfd):
  folder = script.parent / 'runs' / 'standard' / 'seed0'
  arguments = _arguments(
      script, '--seeds', '0', '1', '--set', 'adversary.weight', '0'
  )
  with alone(epath.Path(folder)):
    command.run(arguments)
    words = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert ['standard', '0', '1', '0', '1'] in words  # before
    assert ['standard', '1', '1', '0', '0'] in words  # and after
    assert (script.parent / 'log').read_text() == 'seed1\n'
  command.run(arguments)
  assert (script.parent / 'log').read_text() == 'seed1\nseed0\n'


def test_finished_runs_are_amended_by_more_steps(script, monkeypatch):
  control = '--seeds', '0', '--set', 'adversary.weight', '0'
  arguments = _arguments(script, *control)
  command.run(arguments)
  folder = Path(arguments.workdir) / 'standard' / 'seed0'
  (folder / 'checkpoints' / '4').mkdir(parents=True)
  more = (*control, '--set', 'optimizer.steps', '9')
  with pytest.raises(UserError, match='--amend'):
    command.run(_arguments(script, *more))
  executed = []
  monkeypatch.setattr(command, 'execute', lambda jobs, _: executed.extend(jobs))
  command.run(_arguments(script, *more, '--amend'))
  (job,) = executed
  assert job.command[-1] == '--amend' and not job.finished
  # The script amends the run, and finds it finished afterwards.
  parsed = cli.parse(
      cli.Arguments, cli.Arguments(job.experiment, 'x'), '', job.command[2:]
  )
  assert parsed.amend
  (folder / 'scores.json').write_text('{"step": 9}')
  assert job.finished
