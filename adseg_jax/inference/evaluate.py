"""A trained segmentor is scored, and its scores are kept."""

import dataclasses
import shlex
import sys
import time
from pathlib import Path

from etils import epath
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from adseg_jax.data import dataset as datasets
from adseg_jax.data.examples import load
from adseg_jax.errors import UserError
from adseg_jax.evaluation import folders, score, sheet
from adseg_jax.evaluation.inference import Views
from adseg_jax.evaluation.trained import Trained
from adseg_jax.training import record, splits
from adseg_jax.training.checkpoint import saved_steps
from adseg_jax.training.run import devices, versions, write_json
from adseg_jax.wording import counted


def evaluate(arguments, trained: Trained, window: tuple[int, int] | None):
  """Prints and writes the scores that `adseg evaluate` is asked for.

  Raises:
    UserError: the data are not the run's, or the scores can't be written.
  """
  # All images, at their own size: the segmentor's view is resized, the truth
  # is not.
  data = dataclasses.replace(
      arguments.found(trained.experiment).data, size=(0, 0), limit=0
  )
  dataset, workdir = datasets.find(data), epath.Path(arguments.workdir)
  kept = record.read(workdir)
  splits.check_classes(kept, dataset, arguments.workdir)
  split = arguments.split or dataset.test or dataset.validation
  examples = load(dataset, split, data)
  now = splits.describe(examples)
  known = splits.read(workdir, kept)
  words = _learnt(trained, dataset, split, known, now) or _difference(
      trained, dataset, split, known, now
  )
  if words and not arguments.new_data:
    raise UserError(f'{workdir}: {words}, or --new-data to score these')
  # Before the work: a run that can only be read has no room for scores.
  folder = folders.claim(
      workdir, arguments.output, split,
      _ways(arguments) + [f'data-{now.digest[:8]}'] * bool(words),
      trained.step, max(saved_steps(workdir)),
  )
  about = {'split': split, 'digest': now.digest, 'new_data': bool(words)}
  _score(arguments, trained, examples, window, folder, about)


def _learnt(trained, dataset, split: str, known, now: splits.Split) -> str:
  """What is wrong where a split that the run did not have was trained on."""
  train = trained.experiment.data.train or dataset.train
  # A data set may have been divided anew since.
  count = 0 if split in known else splits.common(known.get(train), now)
  if not count:
    return ''
  examples = counted(len(now.examples), 'example')
  return (
      f'its run was trained on {count} of the {examples} of split {split}: '
      'give another --split'
  )


def _difference(trained, dataset, split: str, known, now: splits.Split) -> str:
  """What tells these examples from the run's, in words; '' where nothing."""
  then, used = known.get(split), trained.experiment.data
  # A part of the files is prepared alone, and has a digest of its own.
  if then is None or used.limit:
    return ''
  # Pictures of another size can't be compared one by one.
  if any(used.size):
    then = then._replace(count=None, examples=None)
  words = splits.difference(split, then, now)
  return words and (
      f'its run has other examples than data set {dataset.name} has now '
      f'({words}): give the folder that it had as --data.root'
  )


def _ways(arguments) -> list[str]:
  """What is unlike a plain evaluation, for the name of a folder."""
  scales = '-'.join(f'{scale:g}' for scale in arguments.scales)
  return [
      *[f'scales-{scales}'] * (scales != '1'),
      *['flip'] * arguments.flip,
      *['average'] * arguments.average,
      *[f'sliding-{arguments.sliding}'] * bool(arguments.sliding),
  ]


def _score(arguments, trained, examples, window, folder, about: dict):
  console, begun = Console(), time.monotonic()
  views = Views(arguments.scales, arguments.flip, window)
  report = score.score(
      trained, examples, views,
      arguments.batch or trained.experiment.evaluation.batch,
      lambda images: track(
          images, escape(f'{about["split"]}, step {trained.step}'),
          len(examples), console=console, transient=True,
      ),
  )
  found = sheet.to_dict(report, trained.classes)
  for table in sheet.tables(found):
    console.print(table)
    console.print()
  sheet.write_confusion(folder, report.confusion, trained.classes)
  write_json(folder / 'scores.json', about | {
      'command': shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
      'step': trained.step, 'images': len(examples),
      'views': dataclasses.asdict(views), 'averaged': arguments.average,
      'seconds': time.monotonic() - begun,
      'versions': versions(), 'devices': devices(), **found,
  })
  images = counted(len(examples), 'image')
  print(f'{about["split"]}, {images}, step {trained.step}: {folder}')
