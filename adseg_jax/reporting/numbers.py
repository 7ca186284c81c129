"""Numbers as a person reads them."""

import math

from adseg_jax.evaluation.statistics import Difference, Summary

NONE = '\u2013'  # stands where there is no number


def ratio(value: float) -> str:
  """A score in three decimals; a dash where it is undefined."""
  return NONE if math.isnan(value) else f'{value:.3f}'


def difference(value: float) -> str:
  """A signed difference of scores, with a true minus sign."""
  if math.isnan(value):
    return NONE
  text = f'{value:+.3f}'
  return '0.000' if float(text) == 0 else text.replace('-', '\u2212')


def duration(seconds: float) -> str:
  """A time in its two largest units."""
  if math.isnan(seconds):
    return NONE
  minutes, rest = divmod(round(seconds), 60)
  hours, left = divmod(minutes, 60)
  if hours:
    return f'{hours} h {left:02} min'
  return f'{minutes} min {rest:02} s' if minutes else f'{rest} s'


def pace(value: float) -> str:
  """Images per second; a dash where it was not measured."""
  return NONE if math.isnan(value) else f'{value:.1f}'


def chance(value: float) -> str:
  """A p value in two significant digits; a dash where there is no test."""
  if math.isnan(value):
    return NONE
  return f'{value:#.2g}' if value >= 0.001 else '< 0.001'


def spread(found: Summary, form=ratio) -> str:
  """Mean ± standard deviation; the mean alone where there is one value."""
  if found.count < 2:
    return form(found.mean)
  return f'{form(found.mean)} ± {form(found.deviation)}'


def interval(found: Difference) -> str:
  """The confidence interval; a dash where there are too few pairs."""
  if not found.has_interval:
    return NONE
  return f'{difference(found.low)} to {difference(found.high)}'


def value(setting) -> str:
  """A setting's value as the command line takes it."""
  if isinstance(setting, float):
    return f'{setting:g}'
  if isinstance(setting, list | tuple):
    return ' '.join(map(value, setting)) or '(none)'
  return str(setting) if setting != '' else '(empty)'
