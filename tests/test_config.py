import ast
import dataclasses
import inspect
import json

import pytest

from adseg_jax import config
from adseg_jax.config import Experiment, flatten, to_json
from adseg_jax.discriminators import DISCRIMINATORS
from adseg_jax.errors import UserError
from adseg_jax.losses import OBJECTIVES
from adseg_jax.segmentors import SEGMENTORS
from adseg_jax.validation import validate


def changed(experiment, field, value):
  """The experiment with one field, named as on the command line."""
  name, _, rest = field.partition('.')
  if rest:
    value = changed(getattr(experiment, name), rest, value)
  return dataclasses.replace(experiment, **{name: value})


def check(field, value):
  validate(changed(Experiment(), field, value), stride=4, devices=8)


def test_the_defaults_work_on_one_and_on_eight_devices():
  for devices in (1, 8):
    validate(Experiment(), 4, devices)


@pytest.mark.parametrize('field,value', [
    ('seed', 0), ('seed', 2**32 - 1), ('data.batch', 8), ('data.crop', (4, 8)),
    ('data.scale', (0.1, 0.1)), ('data.jitter', 0.0), ('adversary.tau', 1.0),
    ('adversary.weight', 0.0), ('adversary.start', 0),
    ('adversary.alternate_every', 0), ('optimizer.steps', 1),
    ('evaluation.every', 1), ('evaluation.batch', 8), ('evaluation.panels', 0),
    ('logging.every', 1), ('logging.checkpoint_every', 1),
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
    ('adversary.start', -1, '-1'), ('adversary.alternate_every', -1, '-1'),
    ('optimizer.steps', 0, '0'), ('evaluation.every', 0, '0'),
    ('evaluation.batch', 0, '0'), ('evaluation.batch', 20, '20'),
    ('evaluation.panels', -1, '-1'), ('logging.every', 0, '0'),
    ('logging.checkpoint_every', 0, '0'),
])
def test_the_first_value_that_does_not(field, value, shown):
  with pytest.raises(UserError) as caught:
    check(field, value)
  message = str(caught.value)
  assert message.startswith(f'--{field} is {shown}: give ')
  assert '\n' not in message


def test_flatten_names_fields_as_the_command_line_does():
  assert flatten({'a': 1, 'b': {'c': 2, 'd': {'e': [3]}}}) == {
      'a': 1, 'b.c': 2, 'b.d.e': [3],
  }


def rebuilt(kind, content):
  """A dataclass from what JSON gives, fields by their defaults' types."""
  values = {}
  for field in dataclasses.fields(kind):
    value = content[field.name]
    if dataclasses.is_dataclass(field.default):
      value = rebuilt(type(field.default), value)
    values[field.name] = tuple(value) if isinstance(value, list) else value
  return kind(**values)


def test_json_round_trip():
  experiment = changed(
      changed(Experiment(seed=3), 'data.crop', (32, 64)),
      'optimizer.discriminator.learning_rate', 0.1 + 0.2,
  )
  content = json.loads(to_json(experiment))
  assert rebuilt(Experiment, content) == experiment
  assert rebuilt(Experiment, content) != Experiment()


def test_an_experiment_is_hashable_and_cannot_change():
  assert hash(Experiment()) == hash(Experiment())
  with pytest.raises(dataclasses.FrozenInstanceError):
    Experiment().seed = 1


def test_the_names_are_those_of_what_there_is():
  assert config.names(config.SegmentorName) == tuple(SEGMENTORS)
  assert config.names(config.DiscriminatorName) == tuple(DISCRIMINATORS)
  assert config.names(config.ObjectiveName) == tuple(OBJECTIVES)


def test_every_field_has_a_docstring():
  """Which is its help text: a string right behind the field."""
  for node in ast.parse(inspect.getsource(config)).body:
    if not isinstance(node, ast.ClassDef):
      continue
    fields = zip(node.body, [*node.body[1:], None], strict=True)
    for field, after in fields:
      if isinstance(field, ast.AnnAssign):
        assert isinstance(after, ast.Expr), f'{node.name}.{field.target.id}'
        assert isinstance(after.value.value, str)
