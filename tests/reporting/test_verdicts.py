import pytest
from fake_run import write_table

from adseg_jax.evaluation.statistics import paired
from adseg_jax.reporting import verdicts
from adseg_jax.reporting.arms import study
from adseg_jax.reporting.runs import read_runs

BASE = {'seed 0': 0.5, 'seed 1': 0.6, 'seed 2': 0.7}


@pytest.mark.parametrize('changes,long,short', [
    ([0.1, -0.1, 0.05], 'the interval holds 0: these 3 pairs do not show a '
     'difference', 'holds 0: no difference shown'),
    ([0.1, 0.11, 0.12], 'the interval does not hold 0: over these 3 pairs it '
     'is higher', 'higher'),
    ([-0.1, -0.11, -0.12], 'the interval does not hold 0: over these 3 pairs '
     'it is lower', 'lower'),
    ([0.1], 'only seed 0 is common to both: no interval can be given, and '
     'another seed may say otherwise', 'too few pairs'),
    ([], 'no seed is common to both: nothing can be compared',
     'too few pairs'),
])
def test_what_an_interval_shows(changes, long, short):
  ours = {
      f'seed {seed}': BASE[f'seed {seed}'] + change
      for seed, change in enumerate(changes)
  }
  found = paired(ours, BASE)
  assert verdicts.plainly(found) == long
  assert verdicts.briefly(found) == short


def test_a_sentence_per_rival_and_split(folders):
  found = study(read_runs(folders))
  first, second = verdicts.sentences(found)
  assert first.startswith(
      'mean IoU, validation, adversary.weight 0.1 against 0: '
  )
  assert second.startswith('mean IoU, test, ')
  assert '95 % interval' in first
  assert verdicts.sentences(study(read_runs(folders[:3]))) == []


def test_seeds_without_a_partner_are_told(tmp_path):
  runs = read_runs(write_table(tmp_path)[1:])
  (caution,) = verdicts.cautions(study(runs))
  assert caution.startswith(
      'In one of adversary.weight 0.1 and adversary.weight 0 only: seed 0. '
  )


def test_other_machines_are_told(pair):
  runs = read_runs(pair)
  assert verdicts.cautions(study(runs)) == []
  runs[1].starts[0]['devices'] = '8 x tpu'
  (caution,) = verdicts.cautions(study(runs))
  assert 'same devices' in caution


def test_what_pairs_exclude_and_how_many_would_show_more():
  # A deviation of 0.01: as many pairs for 0.005 as the tables have for half a
  # deviation, 34. The interval of 90 % is 0.002 +- 0.017, beyond the margin.
  found = paired({'a': 0.51, 'b': 0.5, 'c': 0.49}, dict.fromkeys('abc', 0.498))
  assert verdicts.further(found) == (
      '; differences beyond ±0.01 are not excluded. At this spread 10 '
      'pairs would show a difference of 0.01, 34 one of 0.005 (power 0.8)'
  )
  found = paired({'a': 0.501, 'b': 0.5, 'c': 0.499}, dict.fromkeys('abc', 0.5))
  assert 'beyond ±0.01 are excluded' in verdicts.further(found)
  assert verdicts.further(paired({'a': 0.5}, {'a': 0.25})) == ''


def test_pairs_over_folds_are_named_as_such(new_run):
  runs = read_runs([
      new_run(f'{weight}{fold}{seed}', weight=weight, seed=seed,
              data={'fold': fold})
      for weight in (0.0, 0.1) for fold in range(3) for seed in range(2)
  ])
  (caution,) = verdicts.cautions(study(runs))
  assert caution.startswith('Pairs are over 3 folds x 2 seeds. ')
  assert 'not independent' in caution
  # Of one arm nothing is paired.
  assert verdicts.cautions(study(runs[:6])) == []
