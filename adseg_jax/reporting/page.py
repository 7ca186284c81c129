"""The sections of a report, as HTML."""

import math
from html import escape

from adseg_jax.reporting import pictures, tables
from adseg_jax.reporting.curves import Series, chart
from adseg_jax.reporting.runs import Run, baseline, labels
from adseg_jax.reporting.style import STYLE
from adseg_jax.reporting.tables import NONE, difference, duration, ratio


def _words(name):
  return str(name).replace('_', '-')


def _sentence(run):
  about, scores = run.settings, run.scores
  rival = (
      f'against a {_words(about["adversary.discriminator"])} discriminator '
      f'({_words(about["adversary.encoding"])} encoding, '
      f'{_words(about["adversary.objective"])} objective, λ = {run.weight:g})'
      if run.weight else 'alone, without an adversary (λ = 0)'
  )
  return (
      f'A {_words(about["segmentor.name"])} segmentor was trained on '
      f'{run.dataset["name"]} for {scores["step"]:,} steps {rival} and scored '
      f'on {scores["images"]:,} {scores["split"]} images.'
  )


def _card(value, name, note='', style=''):
  return (
      f'<div class="card {style}"><span>{name}</span><b>{value}</b>'
      f'<span>{escape(note)}</span></div>'
  )


def _summary(runs, names):
  main, place = runs[0], baseline(runs)
  cards = []
  for key, name in (
      ('mean_iou', 'mean IoU'), ('pixel_accuracy', 'pixel accuracy'),
      ('class_accuracy', 'class accuracy'),
  ):
    note = ''
    if place is not None:
      change = main.scores[key] - runs[place].scores[key]
      other = 'control' if runs[place].weight == 0 else names[place]
      note = f'{difference(change)} vs {other}'
    style = 'first' if key == 'mean_iou' else ''
    cards.append(_card(ratio(main.scores[key]), name, note, style))
  pace = main.pace()
  cards += [
      _card(duration(main.scores['seconds']), 'training time'),
      _card(f'{main.scores["step"]:,}', 'steps'),
      _card(NONE if math.isnan(pace) else f'{pace:.1f}', 'images per second'),
  ]
  return f'<div class="cards">{"".join(cards)}</div>'


def _charts(runs, names):
  def by_run(key, kind):
    return [
        Series(name, run.curve(key, kind), colour)
        for colour, (run, name) in enumerate(zip(runs, names, strict=True))
    ]

  def by_kind(kinds):
    rivals = [place for place, run in enumerate(runs) if run.weight]
    return [
        Series(
            label if len(rivals) == 1 else f'{label}, {names[place]}',
            runs[place].curve(key), colour, dash,
        )
        for dash, place in enumerate(rivals)
        for key, label, colour in kinds
    ]

  reduced = {'sum': 'sum over the pixels of an image'}.get(
      runs[0].settings.get('adversary.reduction'), 'mean over pixels'
  )
  charts = [
      chart(
          'Validation mean IoU', 'Every validation image, at its own size.',
          by_run('mean_iou', 'validation'),
      ),
      chart(
          'Segmentation loss', f'Cross-entropy on training crops, {reduced}.',
          by_run('segmentation_loss', 'train'),
      ),
  ]
  if any(run.weight for run in runs):
    charts += [
        chart(
            'Adversarial losses',
            'A discriminator whose loss stays near 0 has won: the segmentor '
            'learns nothing from it.',
            by_kind([
                ('adversarial_loss', 'segmentor', 2),
                ('discriminator_loss', 'discriminator', 3),
            ]),
        ),
        chart(
            'What the discriminator believes',
            'Mean probability that it calls a map real; at 0.5 (dotted) it '
            'can not tell.',
            by_kind([
                ('d_real', 'D(real)', 2), ('d_fake', 'D(fake)', 3),
            ]),
            limits=(0, 1), rule=0.5,
        ),
    ]
  return f'<div class="charts">{"".join(charts)}</div>'


def _origin(runs, names):
  parts = []
  for run, name in zip(runs, names, strict=True):
    made = run.made_with
    versions = ', '.join(f'{k} {v}' for k, v in made['versions'].items())
    facts = f'{made["devices"]}; commit {made["commit"] or "unknown"}; '
    parts.append(
        f'<h3>{escape(name)}</h3><p class="faint">{escape(facts + versions)}'
        f'</p><pre>{escape(made["command"])}</pre>'
    )
  return ''.join(parts)


def page(runs: list[Run]) -> str:
  """The whole report; the first run is the main one."""
  names, main = labels(runs), runs[0]
  sections = {
      'Overview': pictures.overview(runs, names),
      'Curves': _charts(runs, names),
      'Scores per class': tables.class_table(runs, names),
      'Confusion': (
          '<p>Of the pixels of a class (row), the percentage that was '
          f'predicted as each class (column); {escape(names[0])}.</p>'
          + tables.confusion(main)
      ),
      'Validation images': pictures.panels(runs, names),
      'Settings that differ from the defaults': tables.settings(runs, names),
      'How it was made': _origin(runs, names),
  }
  body = ''.join(
      f'<section><h2>{title}</h2>{content}</section>'
      for title, content in sections.items() if content
  )
  return (
      '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
      '<meta name="viewport" content="width=device-width, initial-scale=1">'
      f'<title>{escape(main.name)}</title><style>{STYLE}</style></head><body>'
      f'<header><h1>{escape(main.name)}</h1>'
      f'<p class="lead">{escape(_sentence(main))}</p></header>'
      f'{_summary(runs, names)}{tables.comparison(runs, names)}{body}'
      '</body></html>\n'
  )
