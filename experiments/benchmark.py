"""The adversarial step, measured side by side with the same step in PyTorch.

  python experiments/benchmark.py --torch-python TORCH/bin/python

One command checks that the losses and all gradients of both agree, then lets
variants take turns, each in a process of its own, all others asleep: this
project's train step, and PyTorch's eager, eager in channels_last, and
torch.compile in channels_last. All use every core and the same allocator
settings; dropout is on, as in training; PyTorch's optimisers are fused ones.
Both sides' thread pools spin a few milliseconds after a turn and then sleep,
with their default settings; benchmark.json has the processor seconds that
each variant used while others had their turn ("idle").

PyTorch need not be in this environment: --torch-python names an interpreter
that has torch and NumPy. Without it JAX is measured alone. All cases of a CPU
took 24 minutes on 2 cores; docs/speed.md has what was found.
"""

import dataclasses
import sys
from typing import Literal

from adseg_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Arguments:
  """What to measure, and how often."""

  cases: tuple[str, ...] = ()
  """Of multiscale, alternating, patch, light, fcn32s, fpn_lite0,
  fpn_lite0_large, deeplab_lite0, fpn_resnet50, dilated8; none: all that the
  device can do in minutes (the last two take a GPU)."""
  torch_python: str = sys.executable
  """Python interpreter that has torch and NumPy."""
  rounds: int = 9
  """Turns of each variant."""
  steps: int = 3
  """Timed steps a turn; one before them is not timed."""
  precision: Literal['float32', 'bfloat16'] = 'float32'
  """What the networks compute in; PyTorch by torch.autocast."""
  output: str = 'runs/benchmark'
  """Folder for benchmark.json and benchmark.html."""


def chosen(names: tuple[str, ...], platform: str) -> dict:
  """Name -> Case, of those named or of those that suit the device.

  Raises:
    UserError: a name is not known.
  """
  from benchmarking.cases import CASES

  if unknown := [name for name in names if name not in CASES]:
    raise UserError(
        f'--cases {unknown[0]}: not known: give some of {", ".join(CASES)}'
    )
  if names:
    return {name: CASES[name] for name in names}
  return {
      name: case for name, case in CASES.items()
      if not case.gpu or platform != 'cpu'
  }


def interpreter(python: str) -> tuple[str, str]:
  """(interpreter with PyTorch, its version); ('', '') where none has it.

  Raises:
    UserError: an interpreter was named and has no PyTorch.
  """
  from benchmarking.processes import find_torch

  version = find_torch(python)
  if version:
    return python, version
  if python != sys.executable:
    raise UserError(
        f'--torch-python {python}: has no torch and NumPy: install them there, '
        'or name another interpreter'
    )
  print(
      'PyTorch was not found: JAX is measured alone. Name an interpreter that '
      "has it with --torch-python, or: pip install -e '.[bench]'", flush=True,
  )
  return '', ''


def measure(name: str, case, python: str, platform: str, arguments) -> dict:
  """Everything about a case: agreement, raw times and the summary.

  Args:
    name: of the case.
    case: a Case.
    python: interpreter with PyTorch, or ''.
    platform: JAX's.
    arguments: rounds and steps.

  Raises:
    UserError: the two sides disagree, or the step can't be made.
  """
  from benchmarking import figures, processes

  settings = dataclasses.replace(case, experiment=dataclasses.replace(
      case.experiment, precision=arguments.precision
  )).as_json()
  try:
    agreement = python and processes.agree(name, settings, python, platform)
    if agreement:
      print(f'{name}: losses and gradients agree to '
            f'{agreement["difference"]:.1e}', flush=True)
    measured = processes.measure(
        settings, python, platform, arguments.rounds, arguments.steps
    )
  except processes.Failed as error:
    raise UserError(
        f'{name}: cannot be measured: {error}; see above, or leave it out of '
        '--cases'
    ) from error
  for variant, why in measured['left_out'].items():
    print(f'{name}: PyTorch {variant} is left out: {why}', flush=True)
  return {
      'case': settings, 'agreement': agreement or None, **measured,
      'summary': figures.summarize(measured, settings['batch']),
  }


def run(arguments: Arguments):
  """Measures, prints the table and writes both files.

  Raises:
    UserError: a case or the interpreter can't be used.
  """
  from benchmarking import processes

  for name in ('rounds', 'steps'):
    if getattr(arguments, name) < 1:
      raise UserError(f'--{name} {getattr(arguments, name)}: give 1 or more')
  warn_if_busy()
  device = processes.device()
  cases = chosen(arguments.cases, device['platform'])
  python, version = interpreter(arguments.torch_python)
  found = {
      name: measure(name, case, python, device['platform'], arguments)
      for name, case in cases.items()
  }
  report(found, device, version, arguments)


def warn_if_busy():
  """A line where other programs compute: a ratio is then worth little."""
  import os

  from adseg_jax.wording import counted
  from benchmarking.worker import cores

  load = os.getloadavg()[0]
  if load > cores() / 4:
    print(
        f'Others are at work here (load {load:.1f} on '
        f'{counted(cores(), "core")}): a '
        'thread that waits for another costs the two sides differently, so '
        'ratios are not to be relied on', flush=True,
    )


def report(found: dict, device: dict, torch_version: str, arguments: Arguments):
  """Prints the table; writes benchmark.json and benchmark.html."""
  from etils import epath

  from adseg_jax import files
  from adseg_jax.training.run import commit, versions, write_json
  from benchmarking import chart, figures

  rows = figures.rows({name: one['summary'] for name, one in found.items()})
  words = [
      figures.words(name, one['summary'], one['xla'])
      for name, one in found.items()
  ]
  plots = [
      chart.plot(name, {
          variant: figures.paces(times, one['case']['batch'])
          for variant, times in one['variants'].items()
      }) for name, one in found.items()
  ]
  folder = epath.Path(arguments.output)
  folder.mkdir(parents=True, exist_ok=True)
  write_json(folder / 'benchmark.json', {
      'device': device | {'processor': processor()}, 'commit': commit(),
      'versions': versions() | {'torch': torch_version},
      **dataclasses.asdict(arguments), 'cases': found,
  })
  page = chart.page('The step against PyTorch', plots, rows, words)
  files.write(folder / 'benchmark.html', page.encode())
  print(figures.markdown(rows), '', *words, '', folder / 'benchmark.html',
        sep='\n', flush=True)


def processor() -> str:
  """Name and count of the cores that this process may use."""
  import platform
  from pathlib import Path

  from benchmarking.worker import cores

  information = Path('/proc/cpuinfo')
  lines = information.read_text().splitlines() if information.exists() else []
  names = [line.split(': ')[1] for line in lines if 'model name' in line]
  name = names[0] if names else platform.processor()
  return f'{cores()} x {name}'


def main():
  """The script; a user's mistake is one line."""
  from adseg_jax.commands import cli

  cli.guard(lambda: run(cli.parse(Arguments, Arguments(), __doc__)))


if __name__ == '__main__':
  main()
