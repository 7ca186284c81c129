import html
import json
import re

from adseg_jax.reporting import health
from adseg_jax.reporting.arms import study
from adseg_jax.reporting.charts import drawn
from adseg_jax.reporting.curves import Band
from adseg_jax.reporting.report import page
from adseg_jax.reporting.runs import read_runs
from adseg_jax.training.health import ADVICE


def _with_lines(folder, rights, dropped=()):
  """A line per 200 steps with that share of maps told rightly."""
  lines = [
      {'step': 200 * number, 'kind': 'train', 'segmentation_loss': 1.0,
       'd_real_accuracy': right, 'd_fake_accuracy': right,
       'dropped': 0.05 if 200 * number in dropped else 0.0}
      for number, right in enumerate(rights, 1)
  ]
  (folder / 'metrics.jsonl').write_text(
      ''.join(json.dumps(line) + '\n' for line in lines)
  )
  return folder


def test_episodes_are_marked_and_explained(new_run):
  found = study(read_runs([
      _with_lines(new_run('a'), [0.8, 1.0, 1.0, 1.0, 0.8]),
      _with_lines(new_run('b', seed=3), [0.8, 0.8, 0.5, 0.5, 0.5]),
      new_run('c', weight=0.0),
  ]))
  assert health.bands(found) == [
      Band(200, 800, 'the discriminator wins'),
      Band(400, 1000, 'the discriminator gives up'),
  ]
  words = health.words(found)
  for kind, where in (
      ('wins', 'seed 0, steps 200 to 800'),
      ('gives up', 'seed 3, steps 400 to 1000'),
  ):
    assert any(
        one.endswith(f'{ADVICE[kind][1:]} (adversary.weight 0.1, {where}).')
        for one in words
    )
  text = page(found, drawn(found))
  assert '<code>--adversary.discriminator</code>' in text
  assert words[0] in html.unescape(re.sub('</?code>', '', text))
  # The one chart whose metric these lines have.
  assert text.count('>the discriminator wins</text>') == 1
  assert text.count('>the discriminator gives up</text>') == 1


def test_health_is_said_too(new_run):
  found = study(read_runs([_with_lines(new_run('a'), [0.8] * 5)]))
  assert health.bands(found) == []
  (said,) = health.words(found)
  assert said.startswith('In no run did the discriminator win')
  short = study(read_runs([_with_lines(new_run('b'), [0.8] * 2)]))
  (said,) = health.words(short)
  assert said.endswith('shows over 500 steps: no run has more.')


def test_nothing_is_said_where_nothing_was_measured(pair):
  assert health.words(study(read_runs(pair))) == []


def test_dropped_updates_are_told(new_run):
  folder = _with_lines(new_run('a'), [0.8] * 5, dropped=(400, 800))
  found = study(read_runs([folder]))
  *_, sentence = health.words(found)
  assert 'seed 0' in sentence and 'until step 800' in sentence
