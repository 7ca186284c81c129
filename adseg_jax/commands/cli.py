"""Command lines: experiment scripts, and one line for a user's mistake."""

import contextlib
import dataclasses
import errno
import importlib
import io
import itertools
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from typing import Annotated

import tyro

from adseg_jax import environment
from adseg_jax.commands.control import control_of, differs_from_control
from adseg_jax.config import Experiment
from adseg_jax.errors import Stopped, UserError

# Seconds for all hosts to start, as long as JAX itself waits.
PATIENCE = 300
# Options that name what is written.
_WRITTEN = '--workdir', '--output'


@dataclasses.dataclass(frozen=True)
class Arguments:
  """An experiment script's command line: every field of its experiment."""

  experiment: Annotated[Experiment, tyro.conf.arg(name='')]
  workdir: str
  """Folder of the run, or a URL such as gs://BUCKET/RUN; the same command in
  the same folder continues it."""
  control: bool = False
  """Also train the lambda = 0 control, on labelled images alone, in
  WORKDIR/control, and compare."""
  amend: bool = False
  """Continue the run in WORKDIR with other optimizer.steps, learning rates,
  evaluation or logging, or with files that were replaced; experiment.json
  keeps what changed."""
  smoke: bool = False
  """Shrink all to less than a minute, in WORKDIR/smoke: does it run?"""
  profile: bool = False
  """Trace a few steps into WORKDIR/profile, once they are compiled; the run is
  the same. To open it: pip install xprof, then xprof --port 8791
  WORKDIR/profile; or its perfetto_trace.json.gz on https://ui.perfetto.dev."""
  distributed: tuple[str, ...] | None = None
  """Train on many hosts, each of which runs this command. Nothing behind it on
  TPU pods and under Slurm; elsewhere ADDRESS:PORT of the first host, the
  number of processes, and this one's number from 0."""


def parse(kind: type, default, description: str, argv: list[str] | None = None):
  """Command line to dataclass; a mistake in it is a UserError.

  Args:
    kind: a dataclass.
    default: instance that the options override.
    description: what --help says first.
    argv: arguments; None takes the process's.
  """
  shown = io.StringIO()
  words = [_at_home(word) for word in (sys.argv[1:] if argv is None else argv)]
  for word, after in itertools.zip_longest(words, words[1:]):
    option, equals, value = word.partition('=')
    # As of a variable that is not set: all would lie in the current folder.
    if option in _WRITTEN and not (value if equals else after != ''):
      raise UserError(f'{option} is empty: name a folder, or leave it out')
  try:
    with contextlib.redirect_stderr(shown):
      return tyro.cli(
          kind, default=default, description=description, args=words
      )
  except SystemExit as stop:
    if stop.code in (0, None):
      raise
    raise UserError(one_line(shown.getvalue())) from None


def _at_home(word: str) -> str:
  """The word with its ~ expanded: a shell leaves that of --workdir=~/runs."""
  option, path = re.fullmatch(r'(--[\w.-]+=)?(.*)', word, re.DOTALL).groups('')
  found = os.path.expanduser(path)
  if found == '~' or found.startswith('~/'):  # it would become a folder
    raise UserError(f'{word}: there is no home folder here: set HOME')
  return option + found


def one_line(box: str) -> str:
  """The message inside tyro's box of several lines.

  The title is part of the border, or, where the terminal has no box-drawing
  characters, a paragraph of its own; the last paragraph points to --help.
  """
  paragraphs = [[]]
  for line in box.splitlines():
    text = line.strip('│ ')
    if re.fullmatch('[─-]{3,}', text):
      paragraphs.append([])
    elif text and not line.startswith(('╭', '╰')):
      paragraphs[-1].append(text)
  message, *advice = paragraphs[0 if '╭' in box else 1:-1]
  message = ' '.join(message).rstrip('.')
  advice = ' '.join(itertools.chain.from_iterable(advice))
  meant = re.findall(r'(?<!\S)--[\w.-]+', advice)
  # For a value that can't be read, tyro shows the help of its own option.
  misspelt = meant and meant[0] not in message.split(': ')[0]
  hint = f'did you mean {meant[0]}? ' if misspelt else ''
  return f'{message}: {hint}--help lists all options'


def guard(command: Callable[[], None], interrupted: str = ''):
  """Runs a command and exits; what a user can mend is one line, status 1.

  Args:
    command: what to run.
    interrupted: said after Ctrl-C; empty: what the KeyboardInterrupt says.
  """
  if isinstance(sys.stdout, io.TextIOWrapper):
    # A terminal, or a log, may not know Greek, nor a class's or file's name.
    sys.stdout.reconfigure(errors='replace')
  try:
    command()
  except UserError as error:
    # The part that quotes a library may have several lines.
    sys.exit(f'error: {" ".join(str(error).split())}')
  except Stopped as stopped:
    print(stopped, flush=True)
  except KeyboardInterrupt as stop:
    sys.exit(
        interrupted or str(stop)
        or 'stopped by Ctrl-C: no file is left half written'
    )
  except OSError as error:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
      raise
    sys.exit(
        f'error: {error.filename or "a file"} cannot be written '
        f'({error.strerror}): free space, then the same command continues '
        'from the last checkpoint'
    )
  sys.exit(0)


def main():
  """The console script `adseg`."""
  guard(lambda: _main(sys.argv[1:]))


def _main(argv: list[str]):
  environment.prepare()
  from adseg_jax.commands import COMMANDS

  for name, module in COMMANDS.items():
    words = name.split()
    if argv[:len(words)] == words:
      command = importlib.import_module(f'adseg_jax.commands.{module}')
      kind = command.Arguments
      command.run(parse(kind, kind(), kind.__doc__, argv[len(words):]))
      return
  known = ', '.join(f'adseg {name}' for name in COMMANDS)
  if not {'-h', '--help'} & set(argv):
    raise UserError(f'give a command: {known}; each explains itself: --help')
  print(f'Commands: {known}. Each explains itself: --help')


def run(experiment: Experiment, description: str):
  """The main function of an experiment script.

  Args:
    experiment: the script's experiment; options override its fields.
    description: the script's docstring.
  """
  guard(
      lambda: _run(experiment, description),
      'stopped: the same command continues from the last checkpoint',
  )


def _run(experiment: Experiment, description: str):
  default = Arguments(experiment, f'runs/{experiment.name}')
  arguments = parse(Arguments, default, description)
  environment.prepare()
  if arguments.distributed is not None:
    join(arguments.distributed)
  with environment.importing():
    from etils import epath
    from rich.console import Console

    from adseg_jax.commands.smoke import shrunk
    from adseg_jax.reporting.report import table, write_report
    from adseg_jax.training.loop import train
    from adseg_jax.training.parallel import is_main

  if arguments.smoke:
    arguments = shrunk(arguments)
  folder = epath.Path(arguments.workdir)
  arms = {folder: arguments.experiment}
  if arguments.control and differs_from_control(arguments.experiment):
    arms[folder / 'control'] = control_of(arguments.experiment)
  for workdir, arm in arms.items():
    train(arm, workdir, arguments.amend, arguments.profile)
  if is_main():
    Console().print(table([*arms]))
    page = write_report([*arms], folder / 'report.html', option='--workdir')
    print(f'Report: {page}')


def join(place: tuple[str, ...]):
  """Connects this process with those of the other hosts.

  Args:
    place: nothing, or address, number of processes and this one's number.

  Raises:
    UserError: neither, or the others can't be found.
  """
  import jax

  def wrong(what):
    return UserError(
        f'--distributed {" ".join(place)}: {what}: give nothing behind it on '
        'TPU pods and under Slurm, else ADDRESS:PORT of the first host, how '
        "many processes and this one's number, such as 10.0.0.2:1234 4 0"
    )

  if place and not re.fullmatch(r'.+:\d{1,5} \d+ \d+', ' '.join(place)):
    raise wrong('not understood')
  numbers = [int(word) for word in place[1:]]
  if place and not numbers[1] < numbers[0]:
    raise wrong(f'process {numbers[1]} of {numbers[0]}')
  try:
    if place and numbers[1]:
      _wait_for(place[0])
    jax.distributed.initialize(*place[:1], *numbers)
  except (RuntimeError, ValueError, OSError) as error:
    raise wrong(f'no connection ({error})') from error


def _wait_for(address: str):
  """Until somebody listens there: JAX would abort the process, not raise."""
  host, _, port = address.rpartition(':')
  end = time.monotonic() + PATIENCE
  while True:
    try:
      return socket.create_connection((host.strip('[]'), port), 10).close()
    except socket.gaierror:
      raise
    except OSError:
      if time.monotonic() > end:
        raise
    time.sleep(0.5)
