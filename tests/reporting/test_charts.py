import json
import math
import re

import pytest

from adseg_jax.reporting import charts
from adseg_jax.reporting.arms import study
from adseg_jax.reporting.curves import Band
from adseg_jax.reporting.runs import read_runs


def _rewrite(folder, change):
  path = folder / 'metrics.jsonl'
  lines = [change(json.loads(line)) for line in path.read_text().splitlines()]
  path.write_text(''.join(json.dumps(line) + '\n' for line in lines))


def test_mean_and_deviation_over_seeds_by_hand(new_run):
  folders = [new_run(name, seed=seed) for seed, name in enumerate('abc')]
  for shift, folder in zip((0.0, 1.0, 5.0), folders, strict=True):
    _rewrite(folder, lambda line, shift=shift: line | {
        'segmentation_loss': line['step'] + shift
    })
  (arm,) = study(read_runs(folders)).arms
  points, spread = charts.over_seeds(arm, 'segmentation_loss')
  # Mean of 0, 1, 5 is 2, deviation sqrt((4 + 1 + 9) / 2).
  assert points == [(step, step + 2) for step in (1, 2, 3, 4)]
  assert spread[0] == pytest.approx((1, 3 - math.sqrt(7), 3 + math.sqrt(7)))


def test_a_step_with_one_value_has_no_spread(new_run):
  folders = [new_run('a'), new_run('b', seed=1, steps=4)]
  _rewrite(folders[1], lambda line: line | {
      'd_real': None if line['step'] == 3 else 0.8
  })
  (arm,) = study(read_runs(folders)).arms
  points, spread = charts.over_seeds(arm, 'd_real')
  assert points[0] == (1, pytest.approx(0.7))
  assert points[2] == (3, 0.6)
  assert math.isnan(spread[2][1]) and math.isnan(spread[2][2])
  assert not math.isnan(spread[1][1])


def test_curves_of_arms_and_of_adversaries(folders):
  found = study(read_runs(folders))
  text = charts.learning(found)
  assert text.count('class="spread') == 4
  assert 'standard deviation of the seeds' in text
  bands = [Band(2, 3, 'winning')]
  rival = charts.adversary(found, bands)
  assert rival.count('class="band b0" x=') == 2
  assert '>D(real)' in re.sub('</svg>', '>', rival)
  assert charts.adversary(study(read_runs(folders[:3]))) == ''


def test_a_chart_without_its_metric_is_left_out(new_run):
  folder = new_run('a')
  assert 'pulls' not in charts.adversary(study(read_runs([folder])))
  _rewrite(folder, lambda line: line | {'gradient_ratio': 0.25})
  text = charts.adversary(study(read_runs([folder])))
  assert 'How hard the adversary pulls' in text
  assert text.count('<figure') == 3


def test_dots_only_where_there_are_seeds(folders, pair):
  assert charts.measures(study(read_runs(folders))).count('<figure') == 6
  assert charts.measures(study(read_runs(pair))) == ''
