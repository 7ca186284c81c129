"""The control of an experiment: lambda = 0, on labelled images alone."""

from adseg_jax.config import LESSONS, Experiment
from adseg_jax.settings import flat, replaced

_SETTINGS = {
    'adversary.weight': 0.0, 'unlabelled.another_domain': False,
    **{f'unlabelled.{name}': 0.0 for name in LESSONS},
    'data.unlabelled': '', 'data.unlabelled_split': '',
}


def differs_from_control(experiment: Experiment) -> bool:
  """Whether it has an adversary, or learns from images without labels."""
  return experiment.adversary.weight > 0 or experiment.unlabelled.teaches


def control_of(experiment: Experiment) -> Experiment:
  """The control of an experiment."""
  return replaced(
      experiment, _SETTINGS | {'name': f'{experiment.name}-control'}
  )


def control_options(experiment: Experiment) -> list[str]:
  """Options that make an experiment its control, but for the name."""
  words, settings = [], flat(experiment)
  for field, value in _SETTINGS.items():
    if settings[field] == value:
      continue
    if value is False:
      words.append(f'--{field.replace(".", ".no-")}')
    else:
      words += [f'--{field}', '0' if value == 0 else value]
  return words
