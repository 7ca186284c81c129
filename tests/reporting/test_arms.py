import pytest

from adseg_jax.errors import UserError
from adseg_jax.reporting.arms import score, study
from adseg_jax.reporting.runs import read_runs


def _study(*folders):
  return study(read_runs(folders))


def test_seeds_are_one_arm(folders):
  found = study(read_runs(folders))
  assert [arm.name for arm in found.arms] == [
      'adversary.weight 0', 'adversary.weight 0.1'
  ]
  assert [arm.short for arm in found.arms] == ['0', '0.1']
  assert found.main.label == 'adversary.weight 0.1'
  assert [list(arm.runs) for arm in found.arms] == [
      ['seed 0', 'seed 1', 'seed 2']
  ] * 2
  assert found.has_seeds
  assert found.splits == ['validation', 'test']


def test_order_of_naming_is_that_of_the_arms_not_of_the_seeds(new_run):
  found = _study(
      new_run('a', seed=9), new_run('b', weight=0.0), new_run('c', seed=2)
  )
  assert [arm.weight for arm in found.arms] == [0.1, 0]
  assert list(found.arms[0].runs) == ['seed 2', 'seed 9']
  assert found.arms[0].first.settings['seed'] == 2


def test_places_and_names_do_not_make_arms(new_run):
  found = _study(
      new_run('a', data={'root': '/here', 'prepared': '/there'}),
      new_run('b', seed=1, data={'root': '/elsewhere'}),
  )
  (arm,) = found.arms
  assert (arm.name, arm.short) == ('<Toy>', '')
  assert found.reference is None and found.rivals == []
  assert found.main is arm


def test_the_control_is_compared_with_wherever_it_is_named(new_run):
  control, weak = new_run('a', weight=0.0), new_run('b', weight=0.02)
  strong = new_run('c', weight=0.5)
  for order in ([control, weak, strong], [weak, strong, control]):
    found = _study(*order)
    assert found.reference.weight == 0
    assert [arm.weight for arm in found.rivals] == [0.02, 0.5]
    assert found.main.weight == 0.02


def test_what_learns_from_unlabelled_images_is_no_control(new_run):
  rival = new_run('a', weight=0.0, unlabelled={'fixmatch': 1.0})
  control, weak = new_run('b', weight=0.0), new_run('c', weight=0.1)
  found = _study(rival, control, weak)
  assert found.reference is found.arms[1] and found.main is found.arms[0]
  found = _study(rival, weak)
  assert found.reference is found.arms[0] and not found.reference.is_control


def test_without_a_control_the_first_is_compared_with(new_run):
  found = _study(new_run('a', weight=0.5), new_run('b', weight=0.2))
  assert found.reference.weight == 0.5
  assert [arm.weight for arm in found.rivals] == [0.2]


def test_several_settings_get_letters(new_run):
  found = _study(
      new_run('a', weight=0.0), new_run('b', weight=0.1),
      new_run('c', weight=0.1, encoding='product'),
  )
  assert [arm.name for arm in found.arms] == [
      'A: adversary.encoding basic, adversary.weight 0',
      'B: adversary.encoding basic, adversary.weight 0.1',
      'C: adversary.encoding product, adversary.weight 0.1',
  ]
  assert [arm.short for arm in found.arms] == ['A', 'B', 'C']
  assert found.reference.label == 'arm A'


def test_a_long_value_gets_a_letter(new_run):
  found = _study(
      new_run('a'), new_run('b', discriminator='small_fov_light')
  )
  assert [arm.name for arm in found.arms] == [
      'A: adversary.discriminator two_branch',
      'B: adversary.discriminator small_fov_light',
  ]


def test_a_run_is_named_once(new_run):
  first, second = new_run('a'), new_run('b')
  with pytest.raises(UserError, match='same seed, 0: name one of') as error:
    _study(first, second)
  assert str(first) in str(error.value) and str(second) in str(error.value)


def test_measures_are_paired_by_seed_and_split(folders, new_run):
  found = study(read_runs(folders[1:]))  # the control without seed 0
  values = {
      name: run.on('test')['mean_iou']
      for name, run in found.main.runs.items()
  }
  measure = score('test', 'mean_iou')
  assert found.main.values(measure) == values
  change = found.difference(found.main, measure)
  assert change.pairs == ('seed 1', 'seed 2')
  theirs = found.reference.runs['seed 1'].on('test')['mean_iou']
  assert change.values[0] == values['seed 1'] - theirs
  other = _study(new_run('untested'))
  assert other.main.values(measure) == {}
  assert other.main.values(score('test', 'iou', 0)) == {}
  assert other.main.values(score('validation', 'iou', 0)) == {
      'seed 0': pytest.approx(80 / 105)
  }


def test_settings_that_read_the_same_do_not_merge_arms(new_run):
  found = study(read_runs([
      new_run('a', weight=0.1), new_run('b', weight=0.1000000001)
  ]))
  assert [arm.label for arm in found.arms] == ['arm A', 'arm B']


def test_folds_are_runs_of_an_arm_and_paired_as_such(new_run):
  folders = [
      new_run(f'{weight}{fold}{seed}', weight=weight, seed=seed,
              data={'fold': fold})
      for weight in (0.0, 0.1) for fold, seed in ((1, 10), (0, 3), (1, 2))
  ]
  found = _study(*folders)
  names = ['fold 0, seed 3', 'fold 1, seed 2', 'fold 1, seed 10']
  assert [list(arm.runs) for arm in found.arms] == [names] * 2
  change = found.difference(found.main, score('validation', 'mean_iou'))
  assert change.pairs == tuple(names)
  assert found.folds == 2
  assert _study(*folders[1:2]).folds == 1
