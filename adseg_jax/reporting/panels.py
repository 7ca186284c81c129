"""Validation images of a report: where two arms differ most, and overviews."""

from typing import NamedTuple

import numpy as np

from adseg_jax.reporting import pictures
from adseg_jax.reporting.arms import Arm, Study
from adseg_jax.reporting.pictures import VOID, Key, Picture, painted
from adseg_jax.reporting.runs import Run

_SHOWN = 6
# The style's colours for lines, between light and dark: a picture has one.
_TONES = (
    (84, 134, 240), (222, 124, 52), (40, 160, 148), (200, 96, 182),
    (160, 140, 36), (128, 136, 144),
)
_GREY = (128, 128, 128)


class Pair(NamedTuple):
  """What a rival and the reference predicted for one image in a pair of runs.

  Share is that of the labelled pixels which they predicted differently; truth
  (VOID where there is no label), ours (the rival's) and theirs are [H,W].
  """

  name: str
  run: str
  arm: Arm
  share: float
  truth: np.ndarray
  ours: np.ndarray
  theirs: np.ndarray


def _names(run: Run) -> list[str]:
  found = (run.folder / 'panels').glob('*_image.png')
  return sorted(path.name.removesuffix('_image.png') for path in found)


def _map(run, name, kind):
  path = run.folder / 'panels' / f'{name}_{kind}.png'
  return pictures.indices(path, len(run.dataset['classes']))


def _photo(run, name):
  return pictures.photo(run.folder / 'panels' / f'{name}_image.png', 'photo')


def _pairs(study):
  """Of all images that two runs of a pair kept, at one size."""
  for arm in study.rivals:
    for name in [one for one in arm.runs if one in study.reference.runs]:
      both = arm.runs[name], study.reference.runs[name]
      for image in sorted({*_names(both[0])} & {*_names(both[1])}):
        truth = _map(both[0], image, 'truth')
        maps = [_map(run, image, 'prediction') for run in both]
        if all(one.shape == truth.shape for one in maps):
          differ = (maps[0] != maps[1])[truth != VOID]
          share = float(differ.mean()) if differ.size else 0.0
          yield Pair(image, name, arm, share, truth, *maps)


def most_different(study: Study) -> list[Pair]:
  """For each image the pair that differs most, the most different first."""
  most = {}
  for pair in _pairs(study):
    if pair.name not in most or pair.share > most[pair.name].share:
      most[pair.name] = pair
  return sorted(most.values(), key=lambda pair: -pair.share)


def who_is_right(pair: Pair) -> np.ndarray:
  """[H,W]: 0 only the rival, 1 only the reference, 2 neither and they differ.

  VOID where both predict the same, or there is no label.
  """
  ours, theirs = pair.ours == pair.truth, pair.theirs == pair.truth
  shown = (pair.ours != pair.theirs) & (pair.truth != VOID)
  place = np.where(ours, 0, np.where(theirs, 1, 2))
  return np.where(shown, place, VOID).astype(np.uint8)


def keys(study: Study) -> list[Key]:
  """What the colours of who is right stand for."""
  tones = {f'only {arm.label} is right': _tone(arm) for arm in study.arms}
  tones['they differ, both wrong'] = _GREY
  return [Key(text, pictures.css(tone)) for text, tone in tones.items()]


def _tone(arm):
  return _TONES[arm.colour % 6]


def _shown(study, pair):
  """Title and pictures of a pair."""
  run, palette = pair.arm.runs[pair.run], study.main.first.dataset['palette']
  tones = [_tone(pair.arm), _tone(study.reference), _GREY]
  maps = {study.reference.label: pair.theirs, pair.arm.label: pair.ours}
  right = ', '.join(
      f'{(found == pair.truth)[pair.truth != VOID].mean():.1%} ({label})'
      for label, found in maps.items()
  )
  title = (
      f'{pair.name}, {pair.run}: {pair.share:.1%} of the pixels differ; right: '
      f'{right}'
  )
  return title, [
      _photo(run, pair.name), *(
          painted(found, palette, 'map', label)
          for label, found in ({'truth': pair.truth} | maps).items()
      ), painted(who_is_right(pair), tones, 'who', 'who is right'),
  ]


def differing(study: Study) -> dict[str, list[Picture]]:
  """Title -> pictures of each validation image on which arms differ most."""
  pairs = [pair for pair in most_different(study) if pair.share]
  return dict(_shown(study, pair) for pair in pairs[:_SHOWN])


def kept(study: Study) -> dict[str, list[Picture]]:
  """Title -> pictures of each of the main arm's validation images."""
  run = study.main.first
  return {
      name: [_photo(run, name), *(
          painted(_map(run, name, kind), run.dataset['palette'], 'map', kind)
          for kind in ('truth', 'prediction')
      )] for name in _names(run)
  }


def _overviews(study):
  """Caption -> folder of a run of every arm, with a common seed if any."""
  if not study.reference:
    return {'prediction': study.main.first.folder}
  common = [
      name for name in study.main.runs
      if all(name in arm.runs for arm in study.arms)
  ]
  names = {arm: (common or [*arm.runs])[0] for arm in study.arms}
  return {
      f'{arm.label}, {name}': arm.runs[name].folder
      for arm, name in names.items()
  }


def overview(study: Study) -> tuple[str, list[Picture]] | None:
  """What the large picture, such as a world map, is, and the picture."""
  run = study.main.first
  folder = run.folder / 'overview'
  if not (folder / 'prediction.png').exists():
    return None
  paths = {'truth': folder / 'truth.png'} | {
      name: place / 'overview' / 'prediction.png'
      for name, place in _overviews(study).items()
  }
  found = [
      painted(pictures.indices(path, len(run.dataset['classes'])),
              run.dataset['palette'], 'wide', name)
      for name, path in paths.items() if path.exists()
  ]
  for path in sorted(folder.glob('image.*'))[:1]:
    found.append(pictures.photo(path, 'wide'))
  caption = folder / 'caption.txt'
  text = caption.read_text(encoding='utf-8').strip() if caption.exists() else ''
  return text, found
