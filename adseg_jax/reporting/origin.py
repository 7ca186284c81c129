"""Settings of the arms, and how every run was made, as HTML."""

import dataclasses
import json
from html import escape

from adseg_jax.config import Experiment, flatten
from adseg_jax.reporting.arms import Study, differing
from adseg_jax.reporting.numbers import NONE
from adseg_jax.reporting.tables import row, table


def _plain(value):
  return value if isinstance(value, str) else json.dumps(value)


def settings(study: Study) -> str:
  """Settings that differ from the defaults, and all of them, folded."""
  # Through JSON, as the runs' own settings went: tuples become lists.
  default = flatten(json.loads(json.dumps(dataclasses.asdict(Experiment()))))
  arms = [arm.first.settings for arm in study.arms]
  between = differing(arms)
  rows, changed = [], []
  for key in dict.fromkeys(key for one in arms for key in one):
    values = [one.get(key, NONE) for one in arms]
    if key == 'seed':
      values = [' '.join(map(str, arm.runs)) for arm in study.arms]
    usual = default.get(key, NONE)
    rows.append(row(
        [escape(_plain(text)) for text in (key, *values, usual)],
        style='changed' if key in between else '',
    ))
    if any(value != usual for value in values):
      changed.append(rows[-1])
  head = ['setting', *(escape(arm.label) for arm in study.arms), 'default']
  return (
      table(head, changed, style='text')
      + '<details><summary>All settings</summary>'
      + table(head, rows, style='text') + '</details>'
  )


def made(study: Study) -> str:
  """Devices, commit and versions, each once, with the commands of their runs.
  """
  groups = {}
  for arm in study.arms:
    for seed, run in arm.runs.items():
      commands = ''.join([
          f'<h3>{escape(arm.label)}, seed {seed}</h3>'
          f'<pre>{escape(run.made_with["command"])}</pre>',
          *(f'<p>{escape(words)}</p><pre>{escape(command)}</pre>'
            for words, command in run.amendments),
      ])
      for text in dict.fromkeys(map(_surroundings, run.starts)):
        groups.setdefault(text, []).append(commands)
  return ''.join(
      f'<p class="faint">{escape(text)}</p>{"".join(runs)}'
      for text, runs in groups.items()
  )


def _surroundings(start: dict) -> str:
  versions = ', '.join(f'{k} {v}' for k, v in start['versions'].items())
  commit = start['commit'] or 'unknown'
  return f'{start["devices"]}; commit {commit}; {versions}'
