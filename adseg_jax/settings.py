"""The settings of an experiment by their dotted names, and as JSON."""

import dataclasses
import json

from adseg_jax.config import Experiment
from adseg_jax.errors import UserError


def to_json(experiment: Experiment) -> str:
  """The experiment as indented JSON."""
  return json.dumps(dataclasses.asdict(experiment), indent=2)


def flatten(tree: dict, prefix: str = '') -> dict:
  """Nested dicts as one dict with dotted names, as the command line has."""
  flat = {}
  for name, value in tree.items():
    if isinstance(value, dict):
      flat |= flatten(value, f'{prefix}{name}.')
    else:
      flat[prefix + name] = value
  return flat


def flat(experiment: Experiment) -> dict:
  """Dotted name -> value, as reading JSON gives it: with lists for tuples."""
  return flatten(json.loads(to_json(experiment)))


def replaced(experiment, settings: dict):
  """The experiment, or a part of it, with these: dotted name -> value."""
  for name, value in settings.items():
    part, _, rest = name.partition('.')
    if rest:
      value = replaced(getattr(experiment, part), {rest: value})
    experiment = dataclasses.replace(experiment, **{part: value})
  return experiment


def from_dict(content: dict, kind: type = Experiment):
  """The experiment that `dataclasses.asdict` or `to_json` wrote.

  A field that is missing takes its default: an older run had no such setting.

  Args:
    content: nested dicts; lists stand for tuples.
    kind: dataclass of this level.

  Raises:
    UserError: a field is not known.
  """
  defaults = {field.name: field.default for field in dataclasses.fields(kind)}
  if unknown := sorted(content.keys() - defaults.keys()):
    raise UserError(
        f'{kind.__name__} has no setting {", ".join(unknown)}: read the run '
        'with the version that trained it'
    )
  return kind(**{
      name: from_dict(value, type(defaults[name]))
      if dataclasses.is_dataclass(defaults[name])
      else tuple(value) if isinstance(value, list) else value
      for name, value in content.items()
  })
