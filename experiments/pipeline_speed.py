"""Images per second of the training input alone, and the step's beside it.

Each case is read, cut, scaled, mirrored and jittered as in training, with no
network: pinned to one core, then on all. The cases are the settings of
experiments/earth.py; with --root those of experiments/camvid.py and crops of
321x321 from CamVid's whole images; and those of each run in --runs, with the
pace and the share of waiting that the run has logged.

  python experiments/pipeline_speed.py --root CAMVID --runs runs/quickstart

docs/speed.md has what was found on 2 CPU cores.
"""

import dataclasses
import json
import math
import multiprocessing
import os
import statistics
import time
from pathlib import Path

import camvid
import earth

from adseg_jax import environment
from adseg_jax.commands import cli
from adseg_jax.config import Data
from adseg_jax.settings import from_dict


@dataclasses.dataclass(frozen=True)
class Arguments:
  """What is measured, and where the numbers go."""

  root: str = ''
  """Folder of CamVid's original files; empty: Earth alone."""
  runs: tuple[str, ...] = ()
  """Workdirs of finished runs."""
  images: int = 200
  """Images in a round, at least."""
  rounds: int = 5
  """Rounds; the table has their medians, the file has all."""
  output: str = 'pipeline_speed.json'
  """File for the numbers."""


@dataclasses.dataclass(frozen=True)
class Case:
  """Settings of the input; of a run, what it logged (else nan)."""

  name: str
  data: Data
  pace: float = math.nan
  waiting: float = math.nan


def cases(arguments: Arguments) -> list[Case]:
  """What the arguments ask for."""
  found = [Case('earth', earth.EXPERIMENT.data)]
  if root := arguments.root:
    found += [
        Case('camvid', dataclasses.replace(camvid.EXPERIMENT.data, root=root)),
        Case('camvid 321x321', Data(
            name='camvid', root=root, batch=8, crop=(321, 321)
        )),
    ]
  return found + [_of_run(workdir) for workdir in arguments.runs]


def _of_run(workdir):
  from adseg_jax.reporting.runs import read_run

  run = read_run(workdir)
  data = {
      name.removeprefix('data.'): value
      for name, value in run.settings.items() if name.startswith('data.')
  }
  waits = [value for _, value in run.curve('waiting') if value is not None]
  return Case(
      str(workdir), from_dict(data, Data), run.pace(),
      statistics.median(waits) if waits else math.nan,
  )


def measure(data: Data, images: int, rounds: int, one_core: bool) -> dict:
  """Images per second of wall time and of CPU time, one value per round.

  Args:
    data: settings of the input.
    images: in a round, at least.
    rounds: how many, after one that is not counted.
    one_core: pin this process to one core first, where the system can.
  """
  if one_core and hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
  # After that: TensorFlow makes as many threads as it sees cores.
  from adseg_jax.data import dataset as datasets
  from adseg_jax.data.examples import load
  from adseg_jax.data.pipeline import train_batches

  dataset = datasets.find(data)
  examples = load(dataset, data.train or dataset.train, data)
  batches = -(-images // data.batch)
  stream = train_batches(examples, data, seed=0, steps=(rounds + 1) * batches)
  found = {'wall': [], 'cpu': []}
  for _ in range(rounds + 1):
    begun = time.perf_counter(), time.process_time()
    for _ in range(batches):
      next(stream)
    ended = time.perf_counter(), time.process_time()
    for name, first, last in zip(found, begun, ended, strict=True):
      found[name].append(batches * data.batch / (last - first))
  return {name: values[1:] for name, values in found.items()}


def table(rows: list[dict]) -> str:
  """A line per case; images per second, and the cores that a run's pace takes.

  `per core` counts CPU time, so that other work on the machine matters less.
  """
  head = ('', 'one core', 'all', 'per core', 'step', 'cores', 'waiting')
  lines = [head]
  for row in rows:
    per_core = statistics.median(row['one_core']['cpu'])
    numbers = (
        statistics.median(row['one_core']['wall']),
        statistics.median(row['all_cores']['wall']), per_core, row['pace'],
    )
    lines.append((
        row['name'], *(_known(x, '.0f') for x in numbers),
        _known(row['pace'] / per_core, '.2f'), _known(row['waiting'], '.1%'),
    ))
  width = max(len(line[0]) for line in lines)
  return '\n'.join(
      line[0].ljust(width) + ''.join(text.rjust(10) for text in line[1:])
      for line in lines
  )


def _known(value, form):
  return '-' if math.isnan(value) else format(value, form)


def main(arguments: Arguments):
  """Measures all cases, prints the table, writes the file."""
  environment.prepare()  # as in training; the processes inherit it
  rows = []
  for case in cases(arguments):
    row = dataclasses.asdict(case)
    for name, pinned in (('one_core', True), ('all_cores', False)):
      # A new process: TensorFlow never changes its number of threads.
      with multiprocessing.get_context('spawn').Pool(1) as pool:
        row[name] = pool.apply(measure, (
            case.data, arguments.images, arguments.rounds, pinned
        ))
    rows.append(row)
  print(table(rows))
  known = [
      {name: None if value != value else value for name, value in row.items()}
      for row in rows
  ]
  Path(arguments.output).write_text(json.dumps(
      {'cores': os.cpu_count(), 'cases': known}, indent=2
  ) + '\n')


if __name__ == '__main__':
  cli.guard(lambda: main(cli.parse(Arguments, Arguments(), __doc__)))
