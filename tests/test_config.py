import ast
import dataclasses
import inspect
import json
from typing import get_args

import pytest
import small

from adseg_jax import config
from adseg_jax.config import Data, Experiment, Optimizer, Update
from adseg_jax.method.losses import OBJECTIVES
from adseg_jax.networks.discriminators import DISCRIMINATORS
from adseg_jax.networks.segmentors import ENCODERS, SEGMENTORS
from adseg_jax.settings import flat, flatten, replaced, to_json


def test_flatten_names_fields_as_the_command_line_does():
  assert flatten({'a': 1, 'b': {'c': 2, 'd': {'e': [3]}}}) == {
      'a': 1, 'b.c': 2, 'b.d.e': [3],
  }


def test_settings_are_replaced_by_their_dotted_names():
  found = replaced(Experiment(), {
      'seed': 3, 'optimizer.segmentor.clip': 1.0, 'data.crop': (32, 64),
  })
  assert found == Experiment(
      seed=3, data=Data(crop=(32, 64)),
      optimizer=Optimizer(segmentor=Update(clip=1.0)),
  )
  settings = flat(found)
  assert settings['optimizer.segmentor.clip'] == 1.0
  assert settings['data.crop'] == [32, 64]
  with pytest.raises(TypeError, match='croq'):
    replaced(found, {'data.croq': 1})


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
  experiment = Experiment(
      seed=3, data=Data(crop=(32, 64)),
      optimizer=Optimizer(discriminator=Update(learning_rate=0.1 + 0.2)),
  )
  content = json.loads(to_json(experiment))
  assert rebuilt(Experiment, content) == experiment
  assert rebuilt(Experiment, content) != Experiment()


def test_an_experiment_is_hashable_and_cannot_change():
  assert hash(Experiment()) == hash(Experiment())
  with pytest.raises(dataclasses.FrozenInstanceError):
    Experiment().seed = 1


def test_the_names_are_those_of_what_there_is():
  def own(table):
    return tuple(name for name in table if name != small.NAME)

  assert get_args(config.SegmentorName) == own(SEGMENTORS)
  assert get_args(config.EncoderName) == tuple(ENCODERS)
  assert get_args(config.DiscriminatorName) == own(DISCRIMINATORS)
  assert get_args(config.ObjectiveName) == tuple(OBJECTIVES)


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
