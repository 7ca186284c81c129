import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adseg_jax.commands import cli, jobs
from adseg_jax.commands import run as command
from adseg_jax.config import flatten
from adseg_jax.errors import Stopped, UserError

EARTH = Path(__file__).parents[2] / 'experiments' / 'earth.py'
# Trains in no time: copies a finished run and says whose it is. A file named
# 'crash' beside the script ends seed 1 with status 3, after it has begun.
SCRIPT = '''
import dataclasses, json, shutil, sys, time
from pathlib import Path

from adseg_jax.config import Adversary, Experiment, Optimizer

EXPERIMENT = Experiment(
    name='<Toy>', adversary=Adversary(weight=0.1),
    optimizer=Optimizer(steps=4),
)

if __name__ == '__main__':
  here = Path(__file__).parent
  options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
  if options.get('--data.name') == 'mars':
    sys.exit('error: no such data set')
  weight = float(options.get('--adversary.weight', 0.1))
  folder = Path(options['--workdir'])
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


def _options(job):
  return dict(zip(job.command[2::2], job.command[3::2], strict=True))


def test_a_plan_pairs_every_seed_with_every_arm(tmp_path):
  found = jobs.plan(
      EARTH, (4, 2), ('standard', 'adversarial'), tmp_path,
      [('adversary.weight', '0.2')],
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


@pytest.mark.parametrize('place', [0, 1])
def test_the_script_gets_the_planned_experiment(place, tmp_path):
  """Its own command line gives what `check` was asked about."""
  job = jobs.plan(
      EARTH, (3,), ('standard', 'adversarial'), tmp_path,
      [('data.crop', '32', '64'), ('data.no-flip',),
       ('adversary.weight', '0.5')],
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
    ([('adversary.weight', '0')], ['adversary.weight 0']),
])
def test_a_setting_that_cannot_be(settings, words, tmp_path):
  with pytest.raises(UserError) as error:
    jobs.plan(EARTH, (0,), ('standard', 'adversarial'), tmp_path, settings)
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
    assert f'| adversary.weight 0.1 | {seed} | validation |' in tables
  command.run(arguments)
  assert capfd.readouterr().out.count('finished before') == 4
  assert len((script.parent / 'log').read_text().splitlines()) == 4


def test_a_crash_leaves_the_other_runs(script, capfd):
  (script.parent / 'crash').touch()
  arguments = _arguments(
      script, '--seeds', '1', '0', '--arms', 'adversarial'
  )
  with pytest.raises(UserError, match=r'1 of 2 runs failed \(adversarial, s'):
    command.run(arguments)
  assert 'failed with status 3' in capfd.readouterr().out
  table = (Path(arguments.workdir) / 'report.md').read_text()
  assert '| 0 | validation |' in table and '| 1 | validation |' not in table
  (script.parent / 'crash').unlink()
  command.run(arguments)
  log = (script.parent / 'log').read_text().split()
  assert log == ['seed1', 'seed0', 'seed1']


def test_a_run_that_is_refused_ends_all(script, capfd):
  arguments = _arguments(
      script, '--seeds', '0', '1', '--set', 'data.name', 'mars'
  )
  with pytest.raises(UserError, match='standard, seed 0 was refused'):
    command.run(arguments)
  assert capfd.readouterr().out.count('[') == 1
  assert not Path(arguments.workdir).exists()


def test_a_folder_with_another_run_is_found_before_training(script):
  arguments = _arguments(script, '--seeds', '0', '--arms', 'standard')
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


def test_seeds_and_arms_are_needed(script):
  for option in ('--seeds', '--arms'):
    with pytest.raises(UserError, match='at least one of --seeds'):
      command.run(_arguments(script, option))
  assert json.loads((script.parent / 'weight0/scores.json').read_text())


def test_finished_runs_are_amended_by_more_steps(script, monkeypatch):
  arguments = _arguments(script, '--seeds', '0', '--arms', 'standard')
  command.run(arguments)
  folder = Path(arguments.workdir) / 'standard' / 'seed0'
  (folder / 'checkpoints' / '4').mkdir(parents=True)
  more = ('--seeds', '0', '--arms', 'standard', '--set', 'optimizer.steps', '9')
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
