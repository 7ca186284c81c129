"""A finished run, read back from its folder."""

import dataclasses
import json
import math
import statistics

from etils import epath

from adseg_jax.config import Experiment
from adseg_jax.errors import UserError
from adseg_jax.settings import flatten, to_json
from adseg_jax.training.run import amendments
from adseg_jax.training.writer import METRICS, read_metrics

MEASURES = {
    'mean_iou': 'mean IoU', 'pixel_accuracy': 'pixel accuracy',
    'class_accuracy': 'class accuracy',
}


@dataclasses.dataclass(frozen=True)
class Run:
  """What a finished run left in its folder.

  Settings are flat: dotted name -> value; starts have the versions, commit and
  devices of each; amendments are what changed while it trained, and by which
  command; train and validation are lines of metrics; scored are the last step's
  scores on the validation split and, if there is one, the test split.
  """

  folder: epath.Path
  settings: dict
  dataset: dict
  command: str
  starts: list[dict]
  amendments: list[tuple[str, str]]
  train: list[dict]
  validation: list[dict]
  scored: list[dict]

  @property
  def seconds(self) -> float:
    """Training time."""
    return self.scored[0]['seconds']

  def on(self, split: str) -> dict | None:
    """Scores of a split, if it was scored."""
    return next((one for one in self.scored if one['split'] == split), None)

  def curve(self, key: str, kind: str = 'train') -> list[tuple]:
    """(step, value) of every line that has the key."""
    lines = self.train if kind == 'train' else self.validation
    return [(line['step'], line[key]) for line in lines if key in line]

  def pace(self) -> float:
    """Median of the images per second; nan if never measured."""
    paces = [value for _, value in self.curve('images_per_second') if value]
    return statistics.median(paces) if paces else math.nan


def _json(path, **options):
  try:
    return json.loads(path.read_text(encoding='utf-8'), **options)
  except FileNotFoundError:
    raise UserError(
        f'{path} is missing: {path.parent} holds no finished run; train it to '
        'its end, or name another folder'
    ) from None
  except ValueError as error:
    raise UserError(
        f'{path} is damaged ({error}): train the run again'
    ) from None


def _only(entries, *keys):
  return {key: entries[key] for key in keys}


def _scores(path, dataset):
  """The scores, checked: nan where the file says null."""
  scores = _json(path, object_hook=lambda entries: {
      key: math.nan if value is None else value
      for key, value in entries.items()
  })
  _only(scores, *MEASURES, 'step', 'split', 'images', 'seconds')
  for one in scores['classes']:
    _only(one, 'pixels', 'iou', 'accuracy', 'precision')
  count = len(scores['classes'])
  for key in ('classes', 'palette'):
    if len(dataset[key]) != count:
      raise KeyError(key)
  if [len(row) for row in scores['confusion']] != [count] * count:
    raise KeyError('confusion')  # not a square
  return scores


def defaults() -> dict:
  """Of every setting, flat and as JSON has it."""
  return flatten(json.loads(to_json(Experiment())))


def read_run(folder: epath.PathLike) -> Run:
  """Reads a finished run.

  Raises:
    UserError: a file is missing or damaged, or lacks an entry.
  """
  folder = epath.Path(folder)
  scores, test = folder / 'scores.json', folder / 'scores_test.json'
  scored = [scores, test] if test.exists() else [scores]
  about = _json(folder / 'experiment.json')
  if not (folder / METRICS).exists():
    raise UserError(f'{folder / METRICS} is missing: train the run again')
  lines = read_metrics(folder / METRICS)
  try:
    dataset = _only(about['dataset'], 'name', 'classes', 'palette')
    settings = flatten(about['experiment'])
    _only(settings, 'name', 'seed')
    return Run(
        folder=folder, dataset=dataset, command=about['command'],
        # What an older run has not had its default there.
        settings=defaults() | settings,
        starts=[
            _only(one, 'versions', 'commit', 'devices')
            for one in about.get('starts', [about])
        ],
        amendments=amendments(about),
        train=[line for line in lines if line['kind'] == 'train'],
        validation=[line for line in lines if line['kind'] == 'validation'],
        scored=[_scores(path, dataset) for path in scored],
    )
  except (AttributeError, KeyError, TypeError) as error:
    raise UserError(
        f'{folder} holds no run that this version can read ({error!r}): train '
        'it again'
    ) from None


def read_runs(folders: list[epath.PathLike]) -> list[Run]:
  """Reads finished runs of one data set.

  Raises:
    UserError: no folder, a run that is not finished, or other classes.
  """
  if not folders:
    raise UserError('no run was named: give the folder of a finished run')
  main, *others = [read_run(folder) for folder in folders]
  for run in others:
    if run.dataset != main.dataset:
      raise UserError(
          f'{run.folder} is a run on {run.dataset["name"]}, {main.folder} on '
          f'{main.dataset["name"]}: give runs on the same data set'
      )
  return [main, *others]
