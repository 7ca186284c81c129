"""Several runs at once: their order, their lines, and how they end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from etils import epath

from adseg_jax.commands.execute import execute
from adseg_jax.commands.jobs import Job
from adseg_jax.commands.shares import Share
from adseg_jax.config import Experiment, Optimizer
from adseg_jax.errors import Stopped, UserError

TWO = Share(), Share()
# A run in no time: it begins, does something, and ends with its scores.
RUN = '''
import os, signal, sys, time
from pathlib import Path

folder, others = Path(sys.argv[1]), Path(sys.argv[1]).parent

def until(condition):
  end = time.monotonic() + 30
  while not condition():
    assert time.monotonic() < end
    time.sleep(0.01)

def begun():
  return len(list(others.glob('*/experiment.json')))

def saved(*_):
  time.sleep(0.3)
  (folder / 'saved').touch()
  print('saved')
  os._exit(0)

def begin():
  folder.mkdir()
  (folder / 'experiment.json').touch()

def end():
  (folder / 'scores.json').write_text('{"step": 4}')

'''
WAITS = '''
signal.signal(signal.SIGTERM, saved)
begin()
try:
  time.sleep(60)
finally:
  (folder / 'disturbed').touch()
'''


def make(root, *does) -> list[Job]:
  """A job for each program: runs 'a', 'b', ... of so many."""
  return [
      Job(
          f'run {name}', epath.Path(root / name),
          Experiment(optimizer=Optimizer(steps=4)),
          (sys.executable, '-c', RUN + program, str(root / name)),
      ) for name, program in zip('abcd', does, strict=False)
  ]


def test_runs_meet_and_each_line_says_whose_it_is(tmp_path, capfd):
  meets = '''
begin()
until(lambda: begun() > 1)
print('one', flush=True)
print('two', file=sys.stderr)
end()
'''
  assert execute(make(tmp_path, meets, meets, meets), TWO) == []
  out, err = capfd.readouterr()
  said = out.splitlines()
  for name in 'abc':
    lines = [line for line in said if line.startswith(f'run {name} | ')]
    assert [line[8:] for line in lines] == ['one', 'two']
  assert said[0] == f'[1/3] run a: {tmp_path}/a'
  assert said[-1] == 'All runs are done.' and not err


def test_the_first_goes_ahead_until_it_has_begun(tmp_path):
  """It sees nobody before; the others see that it has begun."""
  first = 'time.sleep(0.5); assert not begun(); begin(); end()'
  other = 'assert begun(); begin(); end()'
  assert execute(make(tmp_path, first, other, other), TWO) == []


def test_what_refuses_the_first_ends_all(tmp_path, capfd):
  with pytest.raises(UserError, match='run a was refused'):
    execute(make(tmp_path, 'sys.exit("error: no data")', 'begin()'), TWO)
  assert 'run a | error: no data' in capfd.readouterr().out
  assert not (tmp_path / 'b').exists()


@pytest.mark.parametrize('shares', [TWO[:1], TWO])
def test_runs_that_fail_leave_the_others(tmp_path, capfd, shares):
  jobs = make(
      tmp_path, 'begin(); end()', 'begin(); sys.exit(3)',
      'sys.exit("error: refused")', 'begin(); end()',
  )
  assert execute(jobs, shares) == jobs[1:3]
  assert jobs[3].finished
  out = capfd.readouterr().out
  assert f'[2/4] run b: {tmp_path}/b: failed with status 3\n' in out
  # They are tried again, and no other.
  again = make(tmp_path, *['end()'] * 4)
  again[2] = make(tmp_path, *['begin(); end()'] * 3)[2]
  assert execute(again, shares) == []
  assert all(job.finished for job in jobs)
  out = capfd.readouterr().out
  assert [name in out for name in ('run a', 'run b', 'run c', 'run d')] == [
      False, True, True, False
  ]


def test_a_run_that_was_stopped_stops_the_others(tmp_path):
  jobs = make(tmp_path, WAITS, 'until(lambda: begun()); begin()', WAITS)
  with pytest.raises(Stopped, match='the same command continues'):
    execute(jobs, TWO)
  assert (tmp_path / 'a' / 'saved').exists()
  assert not (tmp_path / 'c').exists()


# Two runs of this file's, in a process as the command line has.
SCRIPT = '''
import sys
from pathlib import Path
from adseg_jax.commands.cli import guard
from test_execute import TWO, WAITS, execute, make
does = WAITS.replace(*sys.argv[2:]) if sys.argv[2:] else WAITS
guard(lambda: execute(make(Path(sys.argv[1]), does, does), TWO))
'''


def started(root, *change):
  process = subprocess.Popen(
      [sys.executable, '-c', SCRIPT, str(root), *change],
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
      env=os.environ | {'PYTHONPATH': str(Path(__file__).parent)},
      start_new_session=True,
  )
  deadline = time.monotonic() + 60
  while len([*root.glob('*/experiment.json')]) < 2:
    assert time.monotonic() < deadline
    time.sleep(0.05)
  return process


@pytest.mark.parametrize('number,status', [
    (signal.SIGTERM, 0), (signal.SIGINT, 1),
])
def test_all_save_when_this_process_is_told(tmp_path, number, status):
  process = started(tmp_path)
  # A terminal sends Ctrl-C to all processes of the group.
  os.killpg(process.pid, number)
  out, err = process.communicate(timeout=30)
  said = {0: out, 1: err}[status]
  assert said.endswith('stopped: the same command continues\n')
  assert process.returncode == status
  for name in 'ab':
    assert f'run {name} | saved\n' in out
    assert {path.name for path in (tmp_path / name).iterdir()} == {
        'experiment.json', 'saved'
    }


def test_a_second_ctrl_c_does_not_wait(tmp_path):
  process = started(tmp_path, 'SIGTERM, saved', 'SIGTERM, signal.SIG_IGN')
  os.killpg(process.pid, signal.SIGINT)
  time.sleep(0.5)
  assert process.poll() is None
  begun = time.monotonic()
  os.killpg(process.pid, signal.SIGINT)
  process.communicate(timeout=30)
  assert process.returncode == 1 and time.monotonic() - begun < 20
