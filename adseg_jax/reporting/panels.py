"""Validation images of a report: where two arms differ most, and overviews."""

from typing import NamedTuple

import numpy as np

from adseg_jax.reporting import pictures
from adseg_jax.reporting.arms import Arm, Study
from adseg_jax.reporting.pictures import VOID, Key, Panel, Picture, painted
from adseg_jax.reporting.runs import Run

_SHOWN = 6
_IMAGE = '_image.png'
# The style's colours for lines, between light and dark: a picture has one.
_TONES = (
    (84, 134, 240), (222, 124, 52), (40, 160, 148), (200, 96, 182),
    (160, 140, 36), (128, 136, 144),
)
_GREY = (128, 128, 128)


class Pair(NamedTuple):
  """What a rival and the reference predicted for one image at one seed.

  Share is that of the labelled pixels which they predicted differently; truth
  (VOID where there is no label), ours (the rival's) and theirs are [H,W].
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
  return pictures.indices(path, len(run.dataset['classes']))


def _photo(run, name):
  path = run.folder / 'panels' / f'{name}{_IMAGE}'
  return Picture(pictures.photo(path), 'photo', 'image')


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


def _panel(study, pair, palette):
  theirs, ours = study.reference, pair.arm
  tones = [_TONES[arm.colour % 6] for arm in (ours, theirs)]
  text = (
      f'{pair.name}, seed {pair.seed}: {pair.share:.1%} of the pixels differ; '
      f'right: {_right(pair.theirs, pair):.1%} ({theirs.label}), '
      f'{_right(pair.ours, pair):.1%} ({ours.label})'
  )
  right = painted(who_is_right(pair), [*tones, _GREY])
  return Panel(text, [
      _photo(ours.runs[pair.seed], pair.name),
      Picture(painted(pair.truth, palette), 'map', 'truth'),
      Picture(painted(pair.theirs, palette), 'map', theirs.label),
      Picture(painted(pair.ours, palette), 'map', ours.label),
      Picture(right, 'who', 'who is right'),
  ])


def differing(study: Study) -> list[Panel]:
  """Validation images on which arms differ most."""
  palette = study.main.first.dataset['palette']
  pairs = [pair for pair in most_different(study) if pair.share]
  return [_panel(study, pair, palette) for pair in pairs[:_SHOWN]]


def keys(study: Study) -> list[Key]:
  """What the colours of who is right stand for."""
  return [
      Key(f'only {arm.label} is right', pictures.css(_TONES[arm.colour % 6]))
      for arm in study.arms
  ] + [Key('they differ, both wrong', pictures.css(_GREY))]


def kept(study: Study) -> list[Panel]:
  """The main arm's validation images."""
  run = study.main.first
  palette = run.dataset['palette']
  return [
      Panel(name, [_photo(run, name), *(
          Picture(painted(_map(run, name, kind), palette), 'map', kind)
          for kind in ('truth', 'prediction')
      )]) for name in _names(run)
  ]


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


def overview(study: Study) -> Panel | None:
  """The large picture, such as a world map, and what it is."""
  folder = study.main.first.folder / 'overview'
  if not (folder / 'prediction.png').exists():
    return None
  dataset = study.main.first.dataset
  maps = {'truth': folder / 'truth.png'} | {
      name: run.folder / 'overview' / 'prediction.png'
      for name, run in _shown_runs(study).items()
  }
  found = []
  for name, path in maps.items():
    if path.exists():
      label = pictures.indices(path, len(dataset['classes']))
      found.append(Picture(painted(label, dataset['palette']), 'wide', name))
  for path in sorted(folder.glob('image.*'))[:1]:
    found.append(Picture(pictures.photo(path), 'wide', 'image'))
  caption = folder / 'caption.txt'
  text = caption.read_text(encoding='utf-8').strip() if caption.exists() else ''
  return Panel(text, found)
