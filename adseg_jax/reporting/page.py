"""A whole report, as one HTML page."""

from html import escape

from adseg_jax.reporting import (
    charts,
    classes,
    comparison,
    health,
    origin,
    panels,
)
from adseg_jax.reporting.arms import Study
from adseg_jax.reporting.style import STYLE


def _summary(study):
  """The part before the first heading."""
  return (
      comparison.verdict(study) + comparison.cards(study)
      + comparison.arms(study) + comparison.differences(study)
  )


def _adversary(study):
  drawn = charts.adversary(study, health.bands(study))
  return drawn and health.words(study) + drawn


def _sections(study):
  """Heading -> content; what is empty is left out."""
  title = 'Where the arms differ most' if study.rivals else 'Validation images'
  return {
      'Seeds': charts.measures(study),
      'Curves': charts.learning(study),
      'Adversary': _adversary(study),
      'Scores per class': classes.scores(study),
      'Confusion': classes.confusion(study),
      title: panels.panels(study),
      'Overview': panels.overview(study),
      'Settings that differ from the defaults': origin.settings(study),
      'How it was made': comparison.every_run(study) + origin.made(study),
  }


def page(study: Study) -> str:
  """The report."""
  name = study.main.first.name
  body = ''.join(
      f'<section><h2>{title}</h2>{content}</section>'
      for title, content in _sections(study).items() if content
  )
  return (
      '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
      '<meta name="viewport" content="width=device-width, initial-scale=1">'
      f'<title>{escape(name)}</title><style>{STYLE}</style></head><body>'
      f'<header><h1>{escape(name)}</h1>'
      f'<p class="lead">{escape(comparison.lead(study))}</p></header>'
      f'{_summary(study)}{body}</body></html>\n'
  )
