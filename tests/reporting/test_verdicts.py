import pytest
from fake_run import write_table

from adseg_jax.reporting import verdicts
from adseg_jax.reporting.arms import study
from adseg_jax.reporting.runs import read_runs
from adseg_jax.reporting.statistics import paired

BASE = {0: 0.5, 1: 0.6, 2: 0.7}


@pytest.mark.parametrize('changes,long,short', [
    ([0.1, -0.1, 0.05], 'the interval holds 0: these 3 seeds do not show a '
     'difference', 'holds 0: no difference shown'),
    ([0.1, 0.11, 0.12], 'the interval does not hold 0: over these 3 seeds it '
     'is higher', 'higher'),
    ([-0.1, -0.11, -0.12], 'the interval does not hold 0: over these 3 seeds '
     'it is lower', 'lower'),
    ([0.1], 'only seed 0 is common to both: no interval can be given, and '
     'another seed may say otherwise', 'too few common seeds'),
    ([], 'no seed is common to both: nothing can be compared',
     'too few common seeds'),
])
def test_what_an_interval_shows(changes, long, short):
  ours = {seed: BASE[seed] + change for seed, change in enumerate(changes)}
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
  assert caution.startswith('Seeds 0 are in one of adversary.weight 0.1 and')


def test_other_machines_are_told(pair):
  runs = read_runs(pair)
  assert verdicts.cautions(study(runs)) == []
  runs[1].starts[0]['devices'] = '8 x tpu'
  (caution,) = verdicts.cautions(study(runs))
  assert 'same devices' in caution
