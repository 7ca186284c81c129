"""Runs jobs, one after the other or several at once, until all have ended."""

import contextlib
import dataclasses
import math
import signal
import subprocess
import threading
import time
from collections.abc import Sequence

from adseg_jax.commands.jobs import Job
from adseg_jax.commands.shares import Share
from adseg_jax.errors import Stopped, UserError
from adseg_jax.wording import counted

STOPPED = 'stopped: the same command continues'
_PAUSE = 0.2  # seconds between two looks at the processes
_PATIENCE = 5  # seconds for the last lines of a process that has ended


@dataclasses.dataclass
class _Run:
  """A job whose process runs."""

  title: str
  job: Job
  share: Share
  child: subprocess.Popen
  since: float
  lines: threading.Thread | None


def execute(
    jobs: list[Job], shares: Sequence[Share] = (Share(),)
) -> list[Job]:
  """Runs or continues the jobs, but for those that are finished.

  One that another process trains, here or on another machine, is left to it,
  unless that stops while others still run here. As many run at once as there
  are shares of the machine; where there are several, each line that a run says
  has its name in front. The first one goes ahead alone until it has begun: what
  refuses it would refuse all, and what it prepares is there for all. A run that
  crashes leaves the others.

  Returns:
    The jobs that failed here.

  Raises:
    UserError: the first run was refused before it began.
    Stopped: SIGTERM came, to this process or to a run; all have stopped.
    KeyboardInterrupt: Ctrl-C came; all have stopped.
  """
  waiting = [
      (f'[{number}/{len(jobs)}] {job.name}: {job.workdir}', job)
      for number, job in enumerate(jobs, 1)
  ]
  running, free, failed, paces, begun = [], list(shares), [], [], False
  with _told() as told, _ended(running, told):
    while True:
      begun = begun or any(run.job.begun for run in running)
      while free and (begun or not running) and (one := _next(waiting)):
        running.append(_start(*one, free.pop(0), len(shares) > 1))
      if not running:
        return failed
      time.sleep(_PAUSE)
      if signal.SIGTERM in told:
        raise Stopped(STOPPED)
      if told:
        raise KeyboardInterrupt(STOPPED)
      for run in [run for run in running if run.child.poll() is not None]:
        running.remove(run)
        free.append(run.share)
        if run.child.returncode and run.job.taken:
          print(f'{run.title}: is trained by another process', flush=True)
          waiting.append((run.title, run.job))
          continue
        begun = begun or run.job.begun
        if _failed(run, begun):
          failed.append(run.job)
        else:
          paces.append(time.monotonic() - run.since)
          print(_left(paces, len(waiting) + len(running), len(shares)))


def _next(waiting: list[tuple[str, Job]]) -> tuple[str, Job] | None:
  """Takes out the first that is to run here, and those that are finished."""
  for one in list(waiting):
    if one[1].taken:
      continue
    waiting.remove(one)
    if not one[1].finished:
      return one
  return None


def _start(title, job, share, together: bool) -> _Run:
  """Starts a job; of several together, each line has the job's name."""
  print(title, flush=True)
  since = time.monotonic()
  if not together:
    return _Run(title, job, share, share.start(job.command), since, None)
  # In a process group of its own: Ctrl-C reaches this process alone, which lets
  # each run save its state.
  child = share.start(
      job.command, {'PYTHONUNBUFFERED': '1'},
      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT, text=True, errors='replace', process_group=0,
  )
  lines = threading.Thread(
      target=_pass_on, args=(child.stdout, f'{job.name} | '), daemon=True
  )
  lines.start()
  return _Run(title, job, share, child, since, lines)


def _pass_on(lines, prefix: str):
  with lines:
    for line in lines:
      # The line feed in the same write: other threads write, too.
      print(f'{prefix}{line.rstrip()}\n', end='', flush=True)


def _failed(run: _Run, begun: bool) -> bool:
  """Whether a run that has ended failed."""
  if run.lines:
    run.lines.join(_PATIENCE)
  status = run.child.returncode
  # Whatever its status: another process may have finished it meanwhile.
  if run.job.finished:
    return False
  if not status:
    raise Stopped(STOPPED)
  if not begun:
    raise UserError(
        f'{run.job.name} was refused (see above): no further run was started'
    )
  print(f'{run.title}: failed with status {status}', flush=True)
  return True


def _left(paces, count: int, together: int) -> str:
  """How long the runs that are left will take, at the mean pace until now."""
  if not count:
    return 'All runs are done.'
  minutes = sum(paces) / len(paces) * math.ceil(count / together) / 60
  return f'{counted(count, "run")} to go, about {minutes:.0f} min'


@contextlib.contextmanager
def _told():
  """Gives a list, to which each SIGINT and SIGTERM to this process is added.

  Where an exception would come between the start of a process and its being
  noted, nobody would end it.
  """
  told = []
  before = {
      number: signal.signal(number, lambda number, _: told.append(number))
      for number in (signal.SIGINT, signal.SIGTERM)
  }
  try:
    yield told
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


@contextlib.contextmanager
def _ended(running: list[_Run], told: list[int]):
  """Ends what still runs when what is inside ends: each saves its state.

  A second Ctrl-C does not wait for that.
  """
  try:
    yield
  finally:
    for run in running:
      # Alone it is in this process's group, and Ctrl-C has reached it.
      if run.lines or signal.SIGINT not in told:
        run.child.terminate()
    if running and running[0].lines:
      print('stopping, each run saves its state ...', flush=True)
    while any(run.child.poll() is None for run in running):
      time.sleep(_PAUSE)
      if told.count(signal.SIGINT) > 1:
        for run in running:
          run.child.kill()
    for run in running:
      if run.lines:
        run.lines.join(_PATIENCE)
