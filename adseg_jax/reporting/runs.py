"""A finished run, read back from its folder."""

import dataclasses
import json
import math
import statistics

from etils import epath

from adseg_jax.config import Experiment, flatten, to_json
from adseg_jax.errors import UserError
from adseg_jax.training.run import amendments
from adseg_jax.training.writer import METRICS, read_metrics

_NEEDED = (
    'name', 'seed', 'segmentor.name', 'adversary.discriminator',
    'adversary.encoding', 'adversary.objective', 'adversary.weight',
)
_START = 'versions', 'commit', 'devices'
MEASURES = {
    'mean_iou': 'mean IoU', 'pixel_accuracy': 'pixel accuracy',
    'class_accuracy': 'class accuracy',
}


@dataclasses.dataclass(frozen=True)
class Run:
  """What a finished run left in its folder.

  Settings are flat: dotted name -> value; starts have the versions, commit and
  devices of each, made_with also the first one's command; amendments are what
  changed while it trained, and by which command; train and validation are
  lines of metrics; scores are the last step's on the validation split, test
  those on the test split, if there is one.
  """

  folder: epath.Path
  settings: dict
  dataset: dict
  made_with: dict
  starts: list[dict]
  amendments: list[tuple[str, str]]
  train: list[dict]
  validation: list[dict]
  scores: dict
  test: dict | None

  @property
  def name(self) -> str:
    """The experiment's name."""
    return str(self.settings['name'])

  @property
  def weight(self) -> float:
    """Lambda; 0 is the control."""
    return self.settings['adversary.weight']

  @property
  def seconds(self) -> float:
    """Training time."""
    return self.scores['seconds']

  @property
  def scored(self) -> list[dict]:
    """Scores of every split that was scored."""
    return [one for one in (self.scores, self.test) if one is not None]

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


def _json(path):
  try:
    return json.loads(path.read_text(encoding='utf-8'))
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


def _known(value):
  return math.nan if value is None else value


def _scores(scores):
  """The scores, checked: nan where the file says null."""
  count = len(scores['classes'])
  if [len(row) for row in scores['confusion']] != [count] * count:
    raise KeyError('confusion')  # not a square
  ratios = ('iou', 'accuracy', 'precision')
  return scores | {key: _known(scores[key]) for key in MEASURES} | {
      'classes': [
          one | {key: _known(one[key]) for key in ratios}
          for one in scores['classes']
      ],
  } | _only(scores, 'step', 'split', 'images', 'seconds')


def _settings(experiment: dict) -> dict:
  """Flat; one that an older run has not had its default there."""
  found = flatten(experiment)
  _only(found, *_NEEDED)
  return flatten(json.loads(to_json(Experiment()))) | found


def _check(run):
  """What the page takes for granted."""
  for key in ('classes', 'palette'):
    for scores in run.scored:
      if len(run.dataset[key]) != len(scores['classes']):
        raise KeyError(key)


def read_run(folder: epath.PathLike) -> Run:
  """Reads a finished run.

  Raises:
    UserError: a file is missing or damaged, or lacks an entry.
  """
  folder = epath.Path(folder)
  scores = _json(folder / 'scores.json')
  test = folder / 'scores_test.json'
  about = _json(folder / 'experiment.json')
  if not (folder / METRICS).exists():
    raise UserError(f'{folder / METRICS} is missing: train the run again')
  lines = read_metrics(folder / METRICS)
  try:
    run = Run(
        folder=folder,
        settings=_settings(about['experiment']),
        dataset=_only(about['dataset'], 'name', 'classes', 'palette'),
        made_with=_only(about, *_START, 'command'),
        starts=[_only(one, *_START) for one in about.get('starts', [about])],
        amendments=amendments(about),
        train=[line for line in lines if line['kind'] == 'train'],
        validation=[line for line in lines if line['kind'] == 'validation'],
        scores=_scores(scores),
        test=_scores(_json(test)) if test.exists() else None,
    )
    _check(run)
  except (AttributeError, KeyError, TypeError) as error:
    raise UserError(
        f'{folder} holds no run that this version can read ({error!r}): train '
        'it again'
    ) from None
  return run


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
