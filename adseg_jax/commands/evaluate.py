"""`adseg evaluate`: scores of a trained segmentor."""

import dataclasses

import tyro

from adseg_jax import environment
from adseg_jax.commands.options import Places, Weights, window_of
from adseg_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Arguments(Places, Weights):
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
  scales = arguments.scales
  if not scales or not all(0.01 <= scale <= 100 for scale in scales):
    shown = ' '.join(map(str, scales))
    raise UserError(f'--scales is {shown}: give one or more, 0.01 to 100')
  if arguments.batch < 0:
    raise UserError(f'--batch is {arguments.batch}: give 1 or more, or 0')
  window = window_of(arguments.sliding)
  # Slow to import: not before the arguments are read.
  from adseg_jax.evaluation import folders

  folders.check(arguments.output)
  trained = arguments.restore(arguments.workdir)
  with environment.importing():
    from adseg_jax.inference.evaluate import evaluate

  evaluate(arguments, trained, window)
