"""Arms of an experiment script, and the control of each schedule."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import tyro

from adseg_jax.commands import cli
from adseg_jax.commands.control import control_options, differs_from_control
from adseg_jax.config import Experiment
from adseg_jax.errors import UserError

CONTROL, ARM = 'standard', 'adversarial'
_NAME = re.compile(r'[A-Za-z0-9][\w.+-]*')
_FIELD = re.compile('|'.join(
    rf'{field.name}\..+' if dataclasses.is_dataclass(field.default)
    else field.name for field in dataclasses.fields(Experiment)
))


@dataclasses.dataclass(frozen=True)
class Arm:
  """A way to train: an experiment, and the options of its script that give it.

  It is compared with the control of that name; a control's is its own.
  """

  name: str
  experiment: Experiment
  options: tuple[str, ...]
  control: str


@dataclasses.dataclass(frozen=True)
class _Fields:
  experiment: Annotated[Experiment, tyro.conf.arg(name='')]


def arms(
    given: Experiment, script: Path, settings: Iterable[Sequence[str]],
    named: Iterable[Sequence[str]],
) -> list[Arm]:
  """Every arm, behind its control.

  Arms that differ in nothing that a control uses share one. Where none is
  named, the script's experiment is the arm; with lambda = 0 there is its
  control alone.

  Args:
    given: the script's experiment.
    script: where it is from.
    settings: of all arms: a field's dotted name and its value's words, each.
    named: an arm's name, fields and values, each.

  Raises:
    UserError: a name, a field or a value can't be used.
  """
  common = _options(settings, '--set')
  base = _override(given, common, script, '--set')
  if base.seed != given.seed:
    raise UserError('--set seed: give --seeds instead')
  standard = _control(given, script, base, CONTROL, common)
  if not named:
    only = Arm(ARM, base, common, CONTROL)
    return [standard, only] if differs_from_control(base) else [standard]
  controls, found = {standard.experiment: standard}, []
  for words in named:
    _check_name(words, [arm.name for arm in found])
    arm, control = _named(given, script, base, common, words)
    _check(arm, base, found)
    control = controls.setdefault(control.experiment, control)
    if control not in found:
      found.append(control)
    found.append(dataclasses.replace(arm, control=control.name))
  return found


def _named(given, script, base, common, words) -> tuple[Arm, Arm]:
  """The arm of --arm NAME FIELD VALUE ..., and its control."""
  name, said, settings = words[0], f'--arm {words[0]}', []
  for word in words[1:]:
    if _FIELD.fullmatch(word) or not settings:
      settings.append([])
    settings[-1].append(word)
  own = '--name', f'{base.name}-{name}', *_options(settings, said)
  arm = _override(given, (*common, *own), script, said)
  shared = [one for one in settings if _is_shared(one[0], arm)]
  control = _control(
      given, script, base, f'{CONTROL}-{name}',
      (*common, *_options(shared, said)),
  )
  return Arm(name, arm, (*common, *own), control.name), control


def _is_shared(field: str, experiment: Experiment) -> bool:
  """Whether a control uses a field that an arm sets."""
  field = field.replace('-', '_')
  if field == 'adversary.start':  # takes turns from there on
    return bool(experiment.adversary.alternate_every)
  return field in ('adversary.reduction', 'adversary.alternate_every') or (
      not field.startswith((
          'adversary.', 'optimizer.discriminator.', 'unlabelled.',
          'data.unlabelled',
      ))
  )


def _control(given, script, base, name, options) -> Arm:
  options = *options, '--name', f'{base.name}-control'
  options += *control_options(_override(given, options, script, name)),
  return Arm(name, _override(given, options, script, name), options, name)


def _options(settings, said: str) -> tuple[str, ...]:
  """Fields and values as options of the script."""
  if not all(settings):
    raise UserError(f'{said}: give a field and its value')
  return tuple(
      word for field, *values in settings for word in (f'--{field}', *values)
  )


def _override(given, options, script, said: str) -> Experiment:
  """The experiment with the script's own options applied."""
  try:
    return cli.parse(_Fields, _Fields(given), '', list(options)).experiment
  except UserError as error:
    message = str(error).replace(
        '--help lists all options', f'python {script} --help lists the fields'
    )
    raise UserError(f'{said}: {message}') from None


def _check_name(words: Sequence[str], taken: list[str]):
  name = (*words, '')[0]
  if not _NAME.fullmatch(name) or _FIELD.fullmatch(name):
    raise UserError(
        f'--arm {" ".join(words)}: begin with a name for the arm, of letters, '
        'digits and . _ + -, then give fields and values'
    )
  if name.split('-')[0] == CONTROL:
    raise UserError(f'--arm {name}: controls are named so: give another name')
  if name in taken:
    raise UserError(f'--arm {name}: two arms have this name: rename one')


def _check(arm: Arm, base: Experiment, others: list[Arm]):
  """Refuses an arm that can't be compared with its control and others."""
  mine = arm.experiment
  for field, option, changed in (
      ('seed', '--seeds', mine.seed != base.seed),
      ('data.fold', '--folds', mine.data.fold != base.data.fold),
  ):
    if changed:
      raise UserError(f'--arm {arm.name}: {field} is no arm\'s: give {option}')
  if not differs_from_control(mine):
    raise UserError(
        f'--arm {arm.name}: adversary.weight is 0, as in the control that each '
        'schedule has: give another, or leave the arm out'
    )
  for other in others:
    if dataclasses.replace(other.experiment, name=mine.name) == mine:
      raise UserError(
          f'--arm {arm.name}: has the settings of arm {other.name}: drop one'
      )
