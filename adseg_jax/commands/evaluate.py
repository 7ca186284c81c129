"""`adseg evaluate`: scores of a trained segmentor."""

import dataclasses
from typing import Annotated

import tyro

from adseg_jax import environment
from adseg_jax.commands.windows import window_of
from adseg_jax.errors import UserError
from adseg_jax.wording import counted


@dataclasses.dataclass(frozen=True)
class Arguments:
  """Scores a trained segmentor on a split, every image at its own size.

  Prints scores per class and writes them to WORKDIR/evaluation/SPLIT/:
  scores.json, and the confusion matrix as confusion.csv and confusion.png.
  Other views, checkpoints and data have a folder of their own beside it. Where
  the run can only be read, --output names the folder.

  Examples:

  adseg evaluate runs/camvid

  adseg evaluate runs/camvid --split test --scales 0.75 1 1.25 --flip

  adseg evaluate runs/cityscapes --sliding 768x768

  adseg evaluate /shared/runs/camvid --output scores
  """

  workdir: tyro.conf.Positional[str] = ''
  """Folder of a run."""
  split: str = ''
  """Split of its data set; empty: test, or validation where there is none."""
  checkpoint: str = 'last'
  """last (which the run's own scores are of), best (by validation mean IoU),
  or a step."""
  average: bool = False
  """Take the moving average of the weights, of a run that kept one
  (--segmentor.average)."""
  scales: tuple[float, ...] = (1.0,)
  """Factors on an image's size; the probabilities are averaged."""
  flip: bool = False
  """Average over each image and its mirror image, too."""
  sliding: str = ''
  """HEIGHTxWIDTH of the parts that an image is predicted in, such as 480x480,
  in pixels of each scale: for images that do not fit the device. A part is
  seen with all that the segmentor sees around it, so scores stay the same.
  Empty: images above 1536x1536 pixels in parts of 1024x1024, others whole."""
  batch: int = 0
  """Images or windows per call, over all devices; 0: the run's own."""
  root: Annotated[str, tyro.conf.arg(name='data.root')] = ''
  """Folder of the original files; empty: where the run had them."""
  prepared: Annotated[str, tyro.conf.arg(name='data.prepared')] = ''
  """Folder of the prepared data set; empty: where the run had it."""
  new_data: bool = False
  """Score images or labels that the run did not have."""
  output: str = ''
  """Folder for the scores; scores that are there are replaced. Empty: one in
  WORKDIR/evaluation."""


def run(arguments: Arguments):
  """Runs the command.

  Raises:
    UserError: an option, the workdir or the data set can't be used.
  """
  if not arguments.workdir:
    raise UserError('give the workdir of a run: adseg evaluate WORKDIR')
  check(arguments)
  window = window_of(arguments.sliding)
  # Slow to import: not before the arguments are read.
  from etils import epath

  from adseg_jax.evaluation import folders

  folders.check(arguments.output)
  with environment.importing():
    from adseg_jax.data import dataset as datasets
    from adseg_jax.evaluation.inference import Views
    from adseg_jax.training import record, splits
    from adseg_jax.training.restore import restore

  trained = restore(
      arguments.workdir, arguments.checkpoint, arguments.average
  )
  # All of them, at their own size: the segmentor's view is resized, the truth
  # is not.
  data = dataclasses.replace(trained.experiment.data, size=(0, 0), limit=0)
  changes = {
      name: value for name in ('root', 'prepared')
      if (value := getattr(arguments, name))
  }
  data = dataclasses.replace(data, **changes)
  dataset = datasets.find(data)
  kept = record.read(epath.Path(arguments.workdir))
  splits.check_classes(kept, dataset, arguments.workdir)
  views = Views(arguments.scales, arguments.flip, window)
  split = arguments.split or dataset.test or dataset.validation
  _evaluate(arguments, trained, dataset, data, split, views)


def check(arguments: Arguments):
  """Refuses options that can't work.

  Raises:
    UserError: one line that names the option.
  """
  for wrong, option, value, wanted in (
      (not arguments.scales
       or not all(0.01 <= scale <= 100 for scale in arguments.scales), 'scales',
       ' '.join(map(str, arguments.scales)), 'one or more, 0.01 to 100'),
      (arguments.batch < 0, 'batch', arguments.batch, '1 or more, or 0'),
  ):
    if wrong:
      raise UserError(f'--{option} is {value}: give {wanted}')


def _news(arguments, trained, dataset, split, now) -> list[str]:
  """What tells these examples from the run's; nothing where they are its own.

  Raises:
    UserError: they are not the run's, and --new-data is not given.
  """
  from etils import epath

  from adseg_jax.training import record, splits

  workdir = epath.Path(arguments.workdir)
  known = splits.read(workdir, record.read(workdir))
  then, used = known.get(split), trained.experiment.data
  if then is None:
    # A data set may have been divided anew since.
    learnt = splits.common(known.get(used.train or dataset.train), now)
    if learnt and not arguments.new_data:
      raise UserError(
          f'{workdir}: its run was trained on {learnt} of the '
          f'{counted(len(now.examples), "example")} of split {split}: give '
          'another --split, or --new-data to score these'
      )
    return [f'data-{now.digest[:8]}'] * bool(learnt)
  # A part of the files is prepared alone, and has a digest of its own.
  if used.limit:
    return []
  # Pictures of another size can't be compared one by one.
  if any(used.size):
    then = then._replace(count=None, examples=None)
  if not (words := splits.difference(split, then, now)):
    return []
  if not arguments.new_data:
    raise UserError(
        f'{workdir}: its run has other examples than data set {dataset.name} '
        f'has now ({words}): give the folder that it had as --data.root, or '
        '--new-data to score these'
    )
  return [f'data-{now.digest[:8]}']


def _ways(arguments) -> list[str]:
  """What is unlike a plain evaluation, for the name of a folder."""
  scales = '-'.join(f'{scale:g}' for scale in arguments.scales)
  return [
      *[f'scales-{scales}'] * (scales != '1'),
      *['flip'] * arguments.flip,
      *['average'] * arguments.average,
      *[f'sliding-{arguments.sliding}'] * bool(arguments.sliding),
  ]


def _evaluate(arguments, trained, dataset, data, split, views):
  import shlex
  import sys
  import time
  from pathlib import Path

  from etils import epath
  from rich.console import Console
  from rich.markup import escape
  from rich.progress import track

  with environment.importing():
    from adseg_jax.data.examples import load
    from adseg_jax.evaluation import folders, sheet
    from adseg_jax.evaluation.score import score
    from adseg_jax.training import splits
    from adseg_jax.training.checkpoint import saved_steps
    from adseg_jax.training.run import devices, versions

  console, examples = Console(), load(dataset, split, data)
  workdir = epath.Path(arguments.workdir)
  now = splits.describe(examples)
  news = _news(arguments, trained, dataset, split, now)
  ways, last = _ways(arguments) + news, max(saved_steps(workdir))
  # Before the work: a run that can only be read has no room for scores.
  folder = folders.claim(
      workdir, arguments.output, split, ways, trained.step, last
  )
  begun = time.monotonic()
  report = score(
      trained, examples, views,
      arguments.batch or trained.experiment.evaluation.batch,
      lambda images: track(
          images, escape(f'{split}, step {trained.step}'), len(examples),
          console=console, transient=True,
      ),
  )
  found = sheet.to_dict(report, trained.classes)
  about = {
      'command': shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
      'step': trained.step, 'split': split, 'images': len(examples),
      'digest': now.digest, 'new_data': bool(news),
      'views': dataclasses.asdict(views), 'averaged': arguments.average,
      'seconds': time.monotonic() - begun,
      'versions': versions(), 'devices': devices(),
  }
  for table in sheet.tables(found):
    console.print(table)
    console.print()
  _write(folder, about | found, report.confusion, trained.classes)
  images = counted(len(examples), 'image')
  print(f'{split}, {images}, step {trained.step}: {folder}')


def _write(folder, scores: dict, confusion, classes):
  import json

  from adseg_jax.evaluation import sheet
  from adseg_jax.files import write, write_picture

  sheet.write_csv(folder / 'confusion.csv', confusion, classes)
  write_picture(folder / 'confusion.png', sheet.draw(confusion, classes))
  write(
      folder / 'scores.json', (json.dumps(scores, indent=2) + '\n').encode()
  )
