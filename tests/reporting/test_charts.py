import json
import math

import pytest
from drawing import texts, told
from fake_run import CLASSES, confusion_of

from adseg_jax.reporting import charts, health
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
  points = charts.over_seeds(arm, 'segmentation_loss')
  # Mean of 0, 1, 5 is 2, deviation sqrt((4 + 1 + 9) / 2).
  assert [point[:2] for point in points] == [
      (step, step + 2) for step in (1, 2, 3, 4)
  ]
  assert points[0][2:] == pytest.approx((3 - math.sqrt(7), 3 + math.sqrt(7)))


def test_a_step_with_one_value_has_no_spread(new_run):
  folders = [new_run('a'), new_run('b', seed=1, steps=4)]
  _rewrite(folders[1], lambda line: line | {
      'd_real': None if line['step'] == 3 else 0.8
  })
  (arm,) = study(read_runs(folders)).arms
  points = charts.over_seeds(arm, 'd_real')
  assert points[0][:2] == (1, pytest.approx(0.7))
  assert points[2][:2] == (3, 0.6)
  assert math.isnan(points[2][2]) and math.isnan(points[2][3])
  assert not math.isnan(points[1][2])


def test_curves_of_arms_and_of_adversaries(folders, monkeypatch):
  monkeypatch.setattr(health, 'bands', lambda _: [Band(2, 3, 'winning')])
  found = study(read_runs(folders))
  curve, loss = charts.learning(found)
  assert 'standard deviation of the runs' in loss.note
  # Every fake run has 2 / step: its spread is 0.
  assert told(loss)[1][0] == (
      'step 2: adversary.weight 0 1 (1 to 1); adversary.weight 0.1 1 (1 to 1)'
  )
  assert told(curve)[0][0].startswith('step 4: adversary.weight 0 0.5')
  losses, beliefs = charts.adversary(found)
  assert {'D(real)', 'D(fake)', 'winning'} <= set(texts(beliefs))
  pair = 'segmentor 0.7 (0.7 to 0.7); discriminator 1.3 (1.3 to 1.3)'
  assert [text for text, *_ in told(losses)][:2] == [
      f'step 1: {pair}', f'step 2: {pair}; winning'
  ]
  # Nobody has D(fake) at step 2.
  assert told(beliefs)[1][0] == 'step 2: D(real) 0.6 (0.6 to 0.6); winning'
  assert charts.adversary(study(read_runs(folders[:3]))) == []


def test_a_chart_without_its_metric_is_left_out(new_run):
  folder = new_run('a')
  drawn = charts.adversary(study(read_runs([folder])))
  assert [chart.title for chart in drawn] == [
      'Adversarial losses', 'What the discriminator believes'
  ]
  _rewrite(folder, lambda line: line | {'gradient_ratio': 0.25})
  drawn = charts.adversary(study(read_runs([folder])))
  assert drawn[-1].title == 'How hard the adversary pulls'
  _rewrite(folder, lambda line: line | {'lambda': 0.1 * line['step']})
  drawn = charts.adversary(study(read_runs([folder])))
  assert drawn[-1].title == 'λ'
  assert told(drawn[-1])[1][0] == 'step 2: λ 0.2'


def test_dots_only_where_there_are_seeds(folders, pair):
  assert len(charts.measures(study(read_runs(folders)))) == 6
  assert charts.measures(study(read_runs(pair))) == []


def test_confusion_adds_the_seeds(folders):
  first, second = charts.confusion(study(read_runs(folders)))
  assert '3 runs together' in first.note
  for chart, shift in (first, 0), (second, 50):
    counts = sum(confusion_of(0.1, seed + shift) for seed in range(3))
    assert [text for text, *_ in told(chart)] == [
        f'{truth} as {guess}: {counts[row, column]} pixels'
        for row, truth in enumerate(CLASSES)
        for column, guess in enumerate(CLASSES)
    ]
