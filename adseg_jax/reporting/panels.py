"""Validation images of a report: where two arms differ most, and overviews."""

import dataclasses
from html import escape

import numpy as np

from adseg_jax.reporting.arms import Arm, Study
from adseg_jax.reporting.pictures import (
    VOID,
    figure,
    indices,
    legend,
    painted,
    photo,
    swatch,
)
from adseg_jax.reporting.runs import Run

_SHOWN = 6
_IMAGE = '_image.png'
# The style's colours for lines, between light and dark: a picture has one.
_TONES = (
    (84, 134, 240), (222, 124, 52), (40, 160, 148), (200, 96, 182),
    (160, 140, 36), (128, 136, 144),
)
_GREY = (128, 128, 128)


@dataclasses.dataclass(frozen=True)
class Pair:
  """What two arms predicted for one image at one seed.

  Attributes:
    name: of the image.
    seed: of both runs.
    arm: the rival; the other is the reference.
    share: of the labelled pixels, how many were predicted differently.
    truth: classes [H,W], VOID where there is no label.
    ours: the rival's prediction [H,W].
    theirs: the reference's prediction [H,W].
  """

  name: str
  seed: int
  arm: Arm
  share: float
  truth: np.ndarray
  ours: np.ndarray
  theirs: np.ndarray


def _names(run: Run) -> list[str]:
  found = (run.folder / 'panels').glob(f'*{_IMAGE}')
  return sorted(path.name.removesuffix(_IMAGE) for path in found)


def _map(run, name, kind):
  path = run.folder / 'panels' / f'{name}_{kind}.png'
  return indices(path, len(run.dataset['classes']))


def _pair(study, arm, seed, name):
  """None where the reference's run kept no such image, or one of another size.
  """
  ours, theirs = arm.runs[seed], study.reference.runs[seed]
  if name not in _names(theirs):
    return None
  truth = _map(ours, name, 'truth')
  maps = [_map(run, name, 'prediction') for run in (ours, theirs)]
  if any(one.shape != truth.shape for one in maps):
    return None
  differ = (maps[0] != maps[1])[truth != VOID]
  share = float(differ.mean()) if differ.size else 0.0
  return Pair(name, seed, arm, share, truth, *maps)


def most_different(study: Study) -> list[Pair]:
  """For each image the rival and the seed that differ most from the reference.

  The most different first; none where no seed is common.
  """
  most = {}
  for arm in study.rivals:
    for seed in sorted(arm.runs.keys() & study.reference.runs.keys()):
      for name in _names(arm.runs[seed]):
        pair = _pair(study, arm, seed, name)
        if pair and pair.share > getattr(most.get(name), 'share', -1.0):
          most[name] = pair
  return sorted(most.values(), key=lambda pair: -pair.share)


def who_is_right(pair: Pair) -> np.ndarray:
  """[H,W]: 0 only the rival, 1 only the reference, 2 neither and they differ.

  VOID where both predict the same, or there is no label.
  """
  ours, theirs = pair.ours == pair.truth, pair.theirs == pair.truth
  shown = (pair.ours != pair.theirs) & (pair.truth != VOID)
  place = np.where(ours, 0, np.where(theirs, 1, 2))
  return np.where(shown, place, VOID).astype(np.uint8)


def _right(prediction, pair):
  return (prediction == pair.truth)[pair.truth != VOID].mean()


def _row(study, pair, palette):
  theirs, ours = study.reference, pair.arm
  tones = [_TONES[arm.colour % 6] for arm in (ours, theirs)]
  path = ours.runs[pair.seed].folder / 'panels' / f'{pair.name}{_IMAGE}'
  cells = [
      figure(photo(path), 'photo', 'image'),
      figure(painted(pair.truth, palette), 'map', 'truth'),
      figure(painted(pair.theirs, palette), 'map', theirs.label),
      figure(painted(pair.ours, palette), 'map', ours.label),
      figure(
          painted(who_is_right(pair), [*tones, _GREY]), 'who', 'who is right'
      ),
  ]
  text = (
      f'{pair.name}, seed {pair.seed}: {pair.share:.1%} of the pixels differ; '
      f'right: {_right(pair.theirs, pair):.1%} ({theirs.label}), '
      f'{_right(pair.ours, pair):.1%} ({ours.label})'
  )
  return (
      f'<h3 class="file">{escape(text)}</h3>'
      f'<div class="panel">{"".join(cells)}</div>'
  )


def _keys(study):
  keys = [(_TONES[arm.colour % 6], f'only {arm.label} is right')
          for arm in study.arms]
  keys.append((_GREY, 'they differ, both wrong'))
  return '<div class="keys">' + ''.join(
      f'<span class="key">{swatch(tone)}{escape(text)}</span>'
      for tone, text in keys
  ) + '</div>'


def panels(study: Study) -> str:
  """Validation images: those on which arms differ most, or the main arm's.

  Empty where no run kept images.
  """
  run = study.main.first
  dataset = run.dataset
  pairs = [pair for pair in most_different(study) if pair.share]
  if pairs:
    note = (
        f'The images on which an arm and {study.reference.label} differ most, '
        'of those that the runs kept; for each the seed with the most. Chosen '
        'to show differences: they are no measure of them.'
    )
    rows = [_row(study, pair, dataset['palette']) for pair in pairs[:_SHOWN]]
    return f'<p>{escape(note)}</p>' + ''.join(
        [legend(dataset), _keys(study), *rows]
    )
  rows = []
  for name in _names(run):
    cells = [figure(photo(run.folder / 'panels' / f'{name}{_IMAGE}'), 'photo',
                    'image')]
    for kind in ('truth', 'prediction'):
      label = painted(_map(run, name, kind), dataset['palette'])
      cells.append(figure(label, 'map', kind))
    rows.append(
        f'<h3 class="file">{escape(name)}</h3>'
        f'<div class="panel">{"".join(cells)}</div>'
    )
  return ''.join([legend(dataset), *rows]) if rows else ''


def _shown_runs(study: Study) -> dict[str, Run]:
  """A run of every arm, with one seed if an arm has it in common."""
  common = set.intersection(*(set(arm.runs) for arm in study.arms))
  seed = min(common, default=None)
  found = {arm: arm.runs.get(seed, arm.first) for arm in study.arms}
  if len(found) == 1:
    return {'prediction': study.main.first}
  return {
      f'{arm.label}, seed {run.settings["seed"]}': run
      for arm, run in found.items()
  }


def overview(study: Study) -> str:
  """The large picture, such as a world map; empty if the main run has none."""
  folder = study.main.first.folder / 'overview'
  if not (folder / 'prediction.png').exists():
    return ''
  dataset = study.main.first.dataset
  maps = {'truth': folder / 'truth.png'} | {
      name: run.folder / 'overview' / 'prediction.png'
      for name, run in _shown_runs(study).items()
  }
  count = len(dataset['classes'])
  figures = [
      figure(painted(indices(path, count), dataset['palette']), 'wide', name)
      for name, path in maps.items() if path.exists()
  ]
  for path in sorted(folder.glob('image.*'))[:1]:
    figures.append(figure(photo(path), 'wide', 'image'))
  caption = folder / 'caption.txt'
  text = caption.read_text(encoding='utf-8').strip() if caption.exists() else ''
  return (
      f'<p>{escape(text)}</p>{legend(dataset)}'
      f'<div class="overview">{"".join(figures)}</div>'
  )
