"""A whole report, as one HTML page."""

from typing import NamedTuple

from adseg_jax.reporting import (
    charts,
    health,
    numbers,
    panels,
    tables,
    verdicts,
)
from adseg_jax.reporting.arms import Study, score
from adseg_jax.reporting.pages import render
from adseg_jax.reporting.pictures import legend
from adseg_jax.reporting.runs import MEASURES
from adseg_jax.reporting.vega import Chart


class Card(NamedTuple):
  """One number, large."""

  value: str
  name: str
  note: str = ''
  first: bool = False


def _score_cards(study, split, mark):
  cards = []
  for key, name in MEASURES.items():
    found = study.main.summary(score(split, key))
    notes = [split]
    if study.reference:
      change = study.difference(study.main, score(split, key))
      if change.values:
        other = study.reference.short if study.reference.weight else 'control'
        notes.append(f'{numbers.difference(change.mean)} vs {other}')
    first = mark and key == 'mean_iou'
    cards.append(Card(numbers.ratio(found.mean), name, ', '.join(notes), first))
  return cards


def cards(study: Study) -> list[Card]:
  """The main arm's scores on each split, its time and its pace.

  Empty where an arm has several seeds: no single number says it all.
  """
  if study.has_seeds:
    return []
  main = study.main
  shown = []
  for number, split in enumerate(study.splits):
    shown += _score_cards(study, split, mark=number == 0)
  seconds = main.summary(lambda run: run.seconds).mean
  speed = main.summary(lambda run: run.pace()).mean
  return [
      *shown,
      Card(numbers.duration(seconds), 'training time', 'a run'),
      Card(f'{main.first.scores["step"]:,}', 'steps'),
      Card(numbers.pace(speed), 'images per second', 'while training'),
  ]


def drawn(study: Study) -> dict[str, list[Chart]]:
  """The charts of each section."""
  return {
      'seeds': charts.measures(study),
      'curves': charts.learning(study),
      'adversary': charts.adversary(study, health.bands(study)),
      'changes': charts.changes(study),
      'confusion': charts.confusion(study),
  }


def _made(study):
  """Devices, commit and versions, each once, with the runs made with them.

  A run is its name, its command, and what was amended by which command.
  """
  groups = {}
  for arm in study.arms:
    for seed, run in arm.runs.items():
      one = (
          f'{arm.label}, seed {seed}', run.made_with['command'], run.amendments
      )
      for text in dict.fromkeys(map(_surroundings, run.starts)):
        groups.setdefault(text, []).append(one)
  return groups


def _surroundings(start: dict) -> str:
  versions = ', '.join(f'{k} {v}' for k, v in start['versions'].items())
  commit = start['commit'] or 'unknown'
  return f'{start["devices"]}; commit {commit}; {versions}'


def page(study: Study) -> str:
  """The report."""
  dataset = study.main.first.dataset
  scored = numbers.listed(
      f'{one["images"]:,} {one["split"]} images'
      for one in study.main.first.scored
  )
  return render(
      'report.html', study=study, title=study.main.first.name, scored=scored,
      cards=cards(study), charts=drawn(study), made=_made(study),
      legend=legend(dataset['classes'], dataset['palette']), health=health,
      panels=panels, tables=tables, verdicts=verdicts,
  )
