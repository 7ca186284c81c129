"""Whether the adversaries of a report's runs were healthy."""

from adseg_jax.reporting.arms import Study
from adseg_jax.reporting.curves import Band
from adseg_jax.training.health import ADVICE, LASTING, accuracy, episodes


def _found(study):
  """(name of a run, episode) of all with an adversary."""
  return [
      (name, episode) for name, run in study.runs.items()
      if run.settings['adversary.weight']
      for episode in episodes(run.train)
  ]


def bands(study: Study) -> list[Band]:
  """The episodes of all runs, to mark in curves; seeds lie on each other."""
  return [
      Band(episode.first, episode.last, f'the discriminator {episode.kind}')
      for _, episode in _found(study)
  ]


def words(study: Study) -> list[str]:
  """What was found, and what may help; empty where nothing was measured."""
  where = {}
  for name, one in _found(study):
    text = f'{name}, steps {one.first} to {one.last}'
    where.setdefault(one.kind, []).append(text)
  said = [
      f'{ADVICE[kind][:1].upper()}{ADVICE[kind][1:]} ({"; ".join(places)}).'
      for kind, places in where.items()
  ]
  lines = [line for run in study.runs.values() for line in run.train]
  if not said and any(accuracy(line) is not None for line in lines):
    said.append(
        f'In no run did the discriminator win or give up for {LASTING} steps.'
        if max(line['step'] for line in lines) > LASTING else
        f'Whether the discriminator wins or gives up shows over {LASTING} '
        'steps: no run has more.'
    )
  return said + [
      f'{name}: updates that were not finite were dropped, until step '
      f'{steps[-1]} at the latest.'
      for name, run in study.runs.items()
      if (steps := [step for step, share in run.curve('dropped') if share])
  ]
