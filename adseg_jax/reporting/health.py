"""Whether the adversaries of a report's runs were healthy."""

from adseg_jax.reporting.arms import Study
from adseg_jax.reporting.curves import Band
from adseg_jax.training.health import (
    ADVICE,
    LASTING,
    Episode,
    accuracy,
    episodes,
)


def found(study: Study) -> list[tuple[str, Episode]]:
  """(arm and seed, episode) of all runs with an adversary."""
  return [
      (f'{arm.label}, seed {seed}', episode)
      for arm in study.arms if arm.weight
      for seed, run in arm.runs.items() for episode in episodes(run.train)
  ]


def bands(study: Study) -> list[Band]:
  """The episodes of all runs, to mark in curves; seeds lie on each other."""
  return [
      Band(episode.first, episode.last, f'the discriminator {episode.kind}')
      for _, episode in found(study)
  ]


def dropped(study: Study) -> list[str]:
  """A sentence for each run that dropped updates which were not finite."""
  said = []
  for arm in study.arms:
    for seed, run in arm.runs.items():
      steps = [step for step, share in run.curve('dropped') if share]
      if steps:
        said.append(
            f'{arm.label}, seed {seed}: updates that were not finite were '
            f'dropped, until step {steps[-1]} at the latest.'
        )
  return said


def words(study: Study) -> list[str]:
  """What was found, and what may help; empty where nothing was measured."""
  where = {}
  for whose, episode in found(study):
    where.setdefault(episode.kind, []).append(
        f'{whose}, steps {episode.first} to {episode.last}'
    )
  said = [
      f'{ADVICE[kind][:1].upper()}{ADVICE[kind][1:]} ({"; ".join(places)}).'
      for kind, places in where.items()
  ]
  measured = any(
      accuracy(line) is not None
      for arm in study.arms for run in arm.runs.values() for line in run.train
  )
  if measured and not said:
    said.append(
        f'In no run did the discriminator win or give up for {LASTING} steps.'
    )
  return said + dropped(study)
