import dataclasses
import math

import pytest

from adseg_jax.config import LESSONS, Experiment
from adseg_jax.errors import UserError
from adseg_jax.settings import flatten
from adseg_jax.training.validation import rules, validate


def changed(experiment, field, value):
  """The experiment with one field, named as on the command line."""
  name, _, rest = field.partition('.')
  if rest:
    value = changed(getattr(experiment, name), rest, value)
  return dataclasses.replace(experiment, **{name: value})


def check(field, value):
  validate(changed(Experiment(), field, value), stride=4, devices=8)


def numbers():
  """Field -> default of all that are numbers, or tuples of them."""
  return {
      field: value
      for field, value in flatten(dataclasses.asdict(Experiment())).items()
      if all(
          type(part) in (int, float)
          for part in (value if isinstance(value, tuple) else (value,))
      ) and value != ()
  }


def test_every_number_has_one_rule():
  assert sorted(field for field, *_ in rules(4, 8)) == sorted(numbers())


@pytest.mark.parametrize('value', [
    math.nan, math.inf, -math.inf, -1, 10**30, 10**400, 0.5 + 10**10,
])
@pytest.mark.parametrize('field', numbers())
def test_no_number_may_be_anything(field, value):
  usual = numbers()[field]
  if not isinstance(usual, tuple):
    values = [value]
  else:
    values = [(value, usual[1]), (usual[0], value), (value, value)]
  for one in values:
    with pytest.raises(UserError) as caught:
      check(field, one)
    message = str(caught.value)
    assert message.startswith(f'--{field} is ') and '\n' not in message


@pytest.mark.parametrize('field', [
    field for field, value in numbers().items()
    if type(value) is int or (type(value) is tuple and type(value[0]) is int)
])
def test_counts_are_whole(field):
  usual = numbers()[field]
  value = (8.0, 8.0) if isinstance(usual, tuple) else 8.0
  with pytest.raises(UserError, match='whole numbers'):
    check(field, value)


def test_the_defaults_work_on_one_and_on_eight_devices():
  for devices in (1, 8):
    validate(Experiment(), 4, devices)


@pytest.mark.parametrize('field,value', [
    ('seed', 0), ('seed', 2**32 - 1), ('data.batch', 8), ('data.crop', (4, 8)),
    ('data.scale', (0.1, 0.1)), ('data.jitter', 0.0), ('adversary.tau', 1.0),
    ('adversary.weight', 0.0), ('adversary.start', 0),
    ('adversary.pull', 0.0), ('adversary.pull', 100.0),
    ('segmentor.average', 0), ('data.accumulate', 1), ('data.accumulate', 2),
    ('adversary.r1', 0.0), ('adversary.r1', 1e6),
    ('adversary.smoothing', 0.0), ('adversary.smoothing', 0.49),
    ('adversary.r1_every', 1),
    ('data.labelled', 1e-6), ('data.labelled', 1.0), ('data.labelled', 2.0),
    ('data.labelled', 2.0**31 - 1), ('unlabelled.fixmatch', 0.0),
    ('unlabelled.trust', 0.0), ('unlabelled.trust', 0.99),
    ('unlabelled.confidence', 1.0), ('unlabelled.start', 0),
    ('adversary.alternate_every', 0), ('optimizer.steps', 1),
    ('evaluation.every', 1), ('evaluation.batch', 8), ('evaluation.panels', 0),
    ('logging.every', 1), ('logging.checkpoint_every', 1), ('data.limit', 0),
    ('data.balance', 0.0), ('data.balance', 1.0), ('data.size', (0, 0)),
    ('data.size', (1, 1)), ('optimizer.segmentor.learning_rate', 1e6),
    ('optimizer.discriminator.weight_decay', 1.0),
    ('optimizer.segmentor.new_layers_factor', 1e6),
    ('optimizer.segmentor.momentum', 0.0),
    ('optimizer.discriminator.second_moment', 0.999999),
    ('optimizer.segmentor.power', 0.0), ('optimizer.segmentor.warmup', 0),
    ('optimizer.discriminator.clip', 0.0), ('optimizer.segmentor.clip', 1e9),
    ('data.fold', 0), ('data.fold', 4), ('data.held_out', 0.001),
    ('segmentor.width', 0.01), ('adversary.width', 16.0),
    ('data.scale', (0.01, 100.0)),
])
def test_the_last_value_that_works(field, value):
  check(field, value)


@pytest.mark.parametrize('field,value,shown', [
    ('seed', -1, '-1'), ('seed', 2**32, '4294967296'),
    ('data.batch', 0, '0'), ('data.batch', 12, '12'), ('data.batch', -8, '-8'),
    ('data.crop', (4, 6), '4 6'), ('data.crop', (6, 4), '6 4'),
    ('data.crop', (0, 4), '0 4'), ('data.crop', (4, -4), '4 -4'),
    ('data.scale', (0.0, 1.0), '0.0 1.0'),
    ('data.scale', (-0.5, 1.0), '-0.5 1.0'),
    ('data.scale', (1.0, 0.5), '1.0 0.5'),
    ('data.scale', (float('nan'), 1.0), 'nan 1.0'),
    ('data.jitter', 1.0, '1.0'), ('data.jitter', -0.1, '-0.1'),
    ('adversary.tau', 0.0, '0.0'), ('adversary.tau', 1.1, '1.1'),
    ('adversary.weight', -0.1, '-0.1'),
    ('adversary.weight', float('nan'), 'nan'),
    ('segmentor.average', -1, '-1'), ('data.accumulate', 0, '0'),
    ('data.accumulate', 3, '3'), ('data.accumulate', 4, '4'),
    ('adversary.r1', -0.1, '-0.1'),
    ('adversary.smoothing', -0.1, '-0.1'), ('adversary.smoothing', 0.5, '0.5'),
    ('adversary.r1', 1.1e6, '1100000.0'), ('adversary.r1_every', 0, '0'),
    ('adversary.pull', -0.1, '-0.1'), ('adversary.pull', 100.1, '100.1'),
    ('adversary.start', -1, '-1'), ('adversary.alternate_every', -1, '-1'),
    ('data.labelled', 0.0, '0.0'), ('data.labelled', 1.5, '1.5'),
    ('data.labelled', -0.5, '-0.5'), ('data.labelled', 2.0**31, '2147483648.0'),
    ('unlabelled.adversarial', -0.1, '-0.1'),
    ('unlabelled.mean_teacher', 1.1e6, '1100000.0'),
    ('unlabelled.trust', 1.0, '1.0'), ('unlabelled.confidence', -0.1, '-0.1'),
    ('unlabelled.start', -1, '-1'),
    ('optimizer.steps', 0, '0'), ('evaluation.every', 0, '0'),
    ('evaluation.batch', 0, '0'), ('evaluation.batch', 20, '20'),
    ('evaluation.panels', -1, '-1'), ('logging.every', 0, '0'),
    ('logging.checkpoint_every', 0, '0'), ('data.limit', -1, '-1'),
    ('data.balance', -0.1, '-0.1'), ('data.balance', 1.1, '1.1'),
    ('data.size', (0, 1), '0 1'), ('data.size', (1, -1), '1 -1'),
    ('optimizer.segmentor.learning_rate', 1.1e6, '1100000.0'),
    ('optimizer.discriminator.learning_rate', -0.1, '-0.1'),
    ('optimizer.segmentor.learning_rate', float('nan'), 'nan'),
    ('optimizer.discriminator.weight_decay', 1.1, '1.1'),
    ('optimizer.segmentor.new_layers_factor', 1.1e6, '1100000.0'),
    ('optimizer.segmentor.momentum', 1.0, '1.0'),
    ('optimizer.discriminator.momentum', -0.1, '-0.1'),
    ('optimizer.discriminator.second_moment', 1.0, '1.0'),
    ('optimizer.segmentor.power', -0.1, '-0.1'),
    ('optimizer.discriminator.warmup', -1, '-1'),
    ('optimizer.segmentor.clip', -0.1, '-0.1'),
    ('optimizer.segmentor.clip', 1.1e9, '1100000000.0'),
    ('data.fold', 5, '5'), ('data.held_out', 0.0, '0.0'),
    ('data.held_out', 1.0, '1.0'), ('segmentor.width', 0.0, '0.0'),
    ('adversary.width', 16.1, '16.1'), ('data.batch', 2**17, '131072'),
    ('data.scale', (1.0, 101.0), '1.0 101.0'),
    ('optimizer.segmentor.new_layers_factor', 0.0, '0.0'),
])
def test_the_first_value_that_does_not(field, value, shown):
  with pytest.raises(UserError) as caught:
    check(field, value)
  message = str(caught.value)
  assert message.startswith(f'--{field} is {shown}: give ')
  assert '\n' not in message


@pytest.mark.parametrize('start,every,works', [
    (999, 0, True), (1000, 0, False), (2000, 0, False), (0, 999, True),
    (0, 1000, False), (500, 499, True), (500, 500, False),
])
def test_an_adversary_that_never_learns_is_no_control(start, every, works):
  experiment = changed(Experiment(), 'adversary.start', start)
  experiment = changed(experiment, 'adversary.alternate_every', every)
  assert experiment.optimizer.steps == 1000
  validate(changed(experiment, 'adversary.weight', 0.0), 4, 8)
  if works:
    validate(experiment, 4, 8)
    return
  with pytest.raises(UserError) as caught:
    validate(experiment, 4, 8)
  field = f'alternate_every is {every}' if every else f'start is {start}'
  message = str(caught.value)
  assert message.startswith(f'--adversary.{field}: the discriminator would')
  assert f'in step {start + every + 1} of 1000' in message


LABELS = {'data.labelled': 0.125}
FOLDER = {'data.unlabelled': 'more'}
DOMAIN = {'unlabelled.another_domain': True}


@pytest.mark.parametrize('fields,said', [
    (FOLDER, r'--data\.unlabelled more: nothing learns from it'),
    *(({f'unlabelled.{name}': 0.5},
       rf'--unlabelled\.{name} is 0\.5: there are no unlabelled images')
      for name in LESSONS),
    *((LABELS | {f'unlabelled.{name}': 0.5, 'adversary.weight': 0.0},
       f'{name} is 0.5: there is no discriminator') for name in LESSONS[:2]),
    *((FOLDER | {f'unlabelled.{name}': 0.5, 'unlabelled.start': 1000},
       f'{name} is 0.5: it would start in step 1001 of 1000')
      for name in LESSONS[1:]),
    # The segmentor idles in steps 500 to 999.
    *((FOLDER | {f'unlabelled.{name}': 0.5, 'unlabelled.start': 500,
                 'adversary.alternate_every': 500, 'segmentor.average': 100},
       f'{name} is 0.5: it would start in step 501 of 1000')
      for name in LESSONS[1:]),
    (LABELS | {'unlabelled.adversarial': 1.0,
               'adversary.feature_matching': True},
     'adversarial is 1: there is no true map'),
    (LABELS | {'unlabelled.mean_teacher': 1.0},
     'mean_teacher is 1: the teacher is the average'),
    ({'data.unlabelled_split': 'more'}, 'split more: nothing learns from it'),
    (DOMAIN, 'another-domain: there are no images of one'),
    (DOMAIN | FOLDER | LABELS, 'another-domain: .* of the same one'),
    (DOMAIN | FOLDER | {'adversary.weight': 0.0},
     'another-domain: there is no discriminator'),
    *((DOMAIN | FOLDER | one, 'another-domain: .* no true maps') for one in (
        {'adversary.r1': 1.0}, {'adversary.encoding': 'scaling'},
        {'adversary.feature_matching': True}, {'unlabelled.adversarial': 1.0},
        {'unlabelled.self_training': 1.0},
    )),
])
def test_what_teaches_nothing_is_refused(fields, said):
  experiment = Experiment()
  for field, value in fields.items():
    experiment = changed(experiment, field, value)
  with pytest.raises(UserError, match=said) as caught:
    validate(experiment, 4, 8)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('fields', [
    LABELS, LABELS | {'adversary.weight': 0.0},
    LABELS | {'unlabelled.adversarial': 0.1, 'unlabelled.start': 5000},
    FOLDER | {'unlabelled.adversarial': 0.1, 'unlabelled.self_training': 0.1},
    LABELS | {'adversary.weight': 0.0, 'unlabelled.fixmatch': 1.0},
    FOLDER | {'unlabelled.mean_teacher': 1.0, 'segmentor.average': 100,
              'unlabelled.start': 999},
    LABELS | {'unlabelled.fixmatch': 1.0, 'adversary.feature_matching': True},
    *(FOLDER | {'unlabelled.self_training': 0.5, 'unlabelled.start': start,
                'adversary.start': 10, 'adversary.alternate_every': every}
      for start, every in ((509, 500), (510, 490), (0, 500), (998, 1))),
    DOMAIN | FOLDER, DOMAIN | FOLDER | {'unlabelled.fixmatch': 1.0},
    DOMAIN | {'data.unlabelled_split': 'elsewhere'},
])
def test_what_can_be_learnt(fields):
  """With few labels also no lesson: that is what lessons are compared with."""
  experiment = Experiment()
  for field, value in fields.items():
    experiment = changed(experiment, field, value)
  validate(experiment, 4, 8)
