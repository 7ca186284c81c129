import dataclasses
from pathlib import Path

import pytest

from adseg_jax.commands.arms import arms
from adseg_jax.commands.control import control_of
from adseg_jax.config import Adversary, Data, Experiment
from adseg_jax.errors import UserError

SCRIPT = Path('a.py')
GIVEN = Experiment(name='toy', adversary=Adversary(weight=0.1))


def found(*named, settings=(), given=GIVEN):
  return arms(
      given, SCRIPT, [words.split() for words in settings],
      [words.split() for words in named],
  )


def named(*words, **options):
  return [(arm.name, arm.control) for arm in found(*words, **options)]


def test_without_names_the_script_s_experiment_is_the_arm():
  standard, only = found(settings=['data.batch 4'])
  assert (standard.name, standard.control) == ('standard', 'standard')
  assert (only.name, only.control) == ('adversarial', 'standard')
  assert only.experiment.name == 'toy' and only.experiment.data.batch == 4
  assert standard.experiment == control_of(only.experiment)
  assert named(settings=['adversary.weight 0']) == [('standard', 'standard')]


def test_fields_and_values_of_an_arm():
  (_, arm) = found(
      'a data.crop 32 64 data.no-flip adversary.encoding product '
      'data.scale 1 2 precision bfloat16', settings=['data.scale 0.5 1'],
  )
  assert arm.experiment.data == Data(
      crop=(32, 64), flip=False, scale=(1.0, 2.0)
  )
  assert arm.experiment.precision == 'bfloat16'
  assert arm.experiment.adversary.encoding == 'product'
  assert arm.experiment.name == 'toy-a'


def test_a_schedule_has_one_control():
  """What a run with lambda = 0 has no use for makes no further one."""
  assert named(
      'a', 'b adversary.weight 0.2 adversary.encoding scaling',
      'c optimizer.discriminator.learning-rate 0.1 adversary.start 100',
      'd optimizer.steps 50', 'e adversary.reduction sum',
      'f adversary.weight 1 optimizer.steps 50',
      'g adversary.alternate-every 9',
      'h adversary.alternate_every 9 adversary.start 5',
  ) == [
      ('standard', 'standard'), ('a', 'standard'), ('b', 'standard'),
      ('c', 'standard'), ('standard-d', 'standard-d'), ('d', 'standard-d'),
      ('standard-e', 'standard-e'), ('e', 'standard-e'), ('f', 'standard-d'),
      ('standard-g', 'standard-g'), ('g', 'standard-g'),
      ('standard-h', 'standard-h'), ('h', 'standard-h'),
  ]


def test_a_control_has_what_its_arm_shares_with_it():
  control, arm = found(
      'a optimizer.steps 50 adversary.encoding product adversary.reduction sum',
      settings=['adversary.tau 0.8'],
  )
  assert control.experiment.optimizer == arm.experiment.optimizer
  assert control.experiment.adversary == Adversary(
      weight=0, tau=0.8, reduction='sum'
  )


def test_arms_that_learn_from_unlabelled_images_have_the_same_control():
  few = ['data.labelled 0.125']
  fixmatch = 'b adversary.weight 0 unlabelled.fixmatch 1 data.unlabelled more'
  assert named(
      'a unlabelled.adversarial 0.1 unlabelled.self-training 0.1', fixmatch,
      'c data.unlabelled more unlabelled.mean_teacher 1', settings=few,
  ) == [
      ('standard', 'standard'), ('a', 'standard'), ('b', 'standard'),
      ('c', 'standard'),
  ]
  control, arm = found(fixmatch, settings=few)
  assert control.experiment == dataclasses.replace(
      control_of(arm.experiment), name='toy-control'
  )


def test_what_all_arms_learn_from_unlabelled_images_a_control_does_not():
  standard, only = found(settings=[
      'unlabelled.fixmatch 1', 'adversary.weight 0', 'data.unlabelled more'
  ])
  assert only.experiment.unlabelled.fixmatch == 1 and only.control == 'standard'
  assert standard.experiment == control_of(only.experiment)
  assert '--data.unlabelled' in standard.options
  assert '--unlabelled.fixmatch' not in found(
      settings=['unlabelled.start 3']
  )[0].options


@pytest.mark.parametrize('words,said', [
    (['adversary.weight 0.2'], 'begin with a name'),
    (['seed'], 'begin with a name'), ([''], 'begin with a name'),
    (['a/b'], 'begin with a name'), (['..'], 'begin with a name'),
    (['standard'], 'controls'), (['standard-b optimizer.steps 3'], 'controls'),
    (['a', 'a adversary.weight 0.2'], 'two arms have this name'),
    (['a', 'b adversary.weight 0.1'], 'has the settings of arm a'),
    (['a adversary.weight 0'], 'adversary.weight is 0'),
    (['a seed 3'], 'give --seeds'), (['a data.fold 3'], 'give --folds'),
    (['a 0.3'], r'--arm a: .*0\.3'),
    (['a adversary.wieght 3'], 'did you mean --adversary.weight'),
    (['a adversary.weight 1 optimzer.steps 3'], '--arm a: .*optimzer'),
    (['a data.crop 3'], '--arm a: .*crop'),
    (['a adversary.weight much'], '--arm a: .*much'),
    (['a adversary.weight'], '--arm a: .*weight'),
    (['a adversary.encoding product scaling'], '--arm a: .*scaling'),
    (['a workdir x'], '--arm a: .*workdir'),
])
def test_mistakes_are_one_line(words, said):
  with pytest.raises(UserError, match=said) as error:
    found(*words)
  assert '\n' not in str(error.value) and '--arm' in str(error.value)
