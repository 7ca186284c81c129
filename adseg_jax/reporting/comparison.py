"""The part of a report that compares arms, as HTML."""

from html import escape

from adseg_jax.reporting.arms import Arm, Study, score
from adseg_jax.reporting.numbers import (
    difference,
    duration,
    interval,
    listed,
    pace,
    ratio,
    spread,
)
from adseg_jax.reporting.runs import MEASURES
from adseg_jax.reporting.tables import row, table
from adseg_jax.reporting.verdicts import briefly, cautions, sentences


def verdict(study: Study) -> str:
  """What was found, in a sentence per rival and split, and cautions."""
  words = ''.join(
      f'<p class="verdict">{escape(text[:1].upper() + text[1:])}</p>'
      for text in sentences(study)
  )
  return words + ''.join(
      f'<p class="faint">{escape(text)}</p>' for text in cautions(study)
  )


def _tone(arm):
  return f'<i class="swatch" style="background:var(--c{arm.colour % 6})"></i>'


def _arm_row(study: Study, arm: Arm, split: str) -> str:
  name = _tone(arm) + escape(arm.name)
  if arm is study.reference:
    name += ' (reference)'
  return row([
      name, split, str(len(arm.runs)),
      *(spread(arm.summary(score(split, key))) for key in MEASURES),
      spread(arm.summary(lambda run: run.pace()), pace),
      duration(arm.summary(lambda run: run.seconds).mean),
  ], style='main' if arm is study.main else '')


def arms(study: Study) -> str:
  """A row per arm and split: mean ± standard deviation, and cost."""
  if sum(len(arm.runs) for arm in study.arms) < 2:
    return ''
  rows = [
      _arm_row(study, arm, split)
      for split in study.splits for arm in study.arms
      if arm.by_seed(lambda run, split=split: run.on(split))
  ]
  head = [
      'arm', 'split', 'seeds', *MEASURES.values(), 'images per second',
      'time per run',
  ]
  means = 'Mean ± sample standard deviation over the seeds. '
  return table(head, rows, style='full words') + (
      f'<p class="faint">{means * study.has_seeds}Images per second: a run\'s '
      'median over its training steps.</p>'
  )


def differences(study: Study) -> str:
  """A row per rival, split and measure: difference, interval, what it shows."""
  if not study.rivals:
    return ''
  rows = []
  for arm in study.rivals:
    for split in study.splits:
      for key, name in MEASURES.items():
        found = study.difference(arm, score(split, key))
        of = f', {arm.short}' if len(study.rivals) > 1 else ''
        rows.append(row([
            escape(name + of), split, difference(found.mean), interval(found),
            str(len(found.seeds)), briefly(found),
        ]))
  head = [
      'difference', 'split', 'mean', '95 % interval', 'common seeds',
      'what the interval shows',
  ]
  how = (
      '; Student\'s t interval of the mean difference. Of twenty such '
      'intervals one is expected to miss its true value by chance.'
  ) if study.has_seeds else '.'
  return table(head, rows, style='full words') + (
      f'<p class="faint">{escape(_rivals(study))} minus '
      f'{escape(study.reference.label)}, paired by seed{how}</p>'
  )


def _rivals(study):
  return study.main.label if len(study.rivals) == 1 else 'Each arm'


def every_run(study: Study) -> str:
  """A folded table with a row per run and split."""
  rows = [
      row([
          escape(arm.label), str(seed), one['split'],
          *(ratio(one[key]) for key in MEASURES), f'{one["step"]:,}',
          pace(run.pace()), duration(run.seconds), escape(str(run.folder)),
      ])
      for arm in study.arms for seed, run in arm.runs.items()
      for one in run.scored
  ]
  head = [
      'arm', 'seed', 'split', *MEASURES.values(), 'steps', 'images per second',
      'time', 'folder',
  ]
  return (
      '<details><summary>Every run</summary>'
      + table(head, rows) + '</details>'
  )


def _card(value, name, note='', style=''):
  return (
      f'<div class="card {style}"><span>{escape(name)}</span><b>{value}</b>'
      f'<span>{escape(note)}</span></div>'
  )


def _score_cards(study, split, mark):
  cards = []
  for key, name in MEASURES.items():
    found = study.main.summary(score(split, key))
    notes = [split]
    if study.reference:
      change = study.difference(study.main, score(split, key))
      if change.values:
        other = study.reference.short if study.reference.weight else 'control'
        notes.append(f'{difference(change.mean)} vs {other}')
    style = 'first' if mark and key == 'mean_iou' else ''
    cards.append(_card(ratio(found.mean), name, ', '.join(notes), style))
  return cards


def cards(study: Study) -> str:
  """The main arm's scores on each split, its time and its pace.

  Empty where an arm has several seeds: no single number says it all.
  """
  if study.has_seeds:
    return ''
  main = study.main
  shown = []
  for number, split in enumerate(study.splits):
    shown += _score_cards(study, split, mark=number == 0)
  seconds = main.summary(lambda run: run.seconds).mean
  speed = main.summary(lambda run: run.pace()).mean
  shown += [
      _card(duration(seconds), 'training time', 'a run'),
      _card(f'{main.first.scores["step"]:,}', 'steps'),
      _card(pace(speed), 'images per second', 'while training'),
  ]
  return f'<div class="cards">{"".join(shown)}</div>'


def lead(study: Study) -> str:
  """A sentence: what was trained, on what, against what, how often."""
  run = study.main.first
  about = run.settings
  rival = (
      f'against a {_words(about["adversary.discriminator"])} discriminator '
      f'({_words(about["adversary.encoding"])} encoding, '
      f'{_words(about["adversary.objective"])} objective, '
      f'λ\u00a0=\u00a0{run.weight:g})'
      if run.weight else 'alone, without an adversary (λ\u00a0=\u00a00)'
  )
  scored = listed(
      f'{one["images"]:,} {one["split"]} images' for one in run.scored
  )
  text = (
      f'A {_words(about["segmentor.name"])} segmentor was trained on '
      f'{run.dataset["name"]} for {run.scores["step"]:,} steps {rival} and '
      f'scored on {scored}.'
  )
  if study.reference:
    runs = sum(len(arm.runs) for arm in study.arms)
    text += f' {len(study.arms)} arms, {runs} runs.'
  return text


def _words(name):
  return str(name).replace('_', '-')
