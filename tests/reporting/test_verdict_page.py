"""The figure and the tables of runs on several data sets."""

import importlib
import json
import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fake_run import confusion_of, write_table

from adseg_jax.errors import UserError
from adseg_jax.evaluation.statistics import paired

VERDICT = Path(__file__).parents[2] / 'experiments' / 'verdict'


@pytest.fixture
def page(monkeypatch):
  monkeypatch.syspath_prepend(str(VERDICT))
  return importlib.import_module('page')


def on(folders, name, command='python experiments/x.py --seed 3'):
  """The runs as if they were on another data set."""
  for folder in folders:
    path = folder / 'experiment.json'
    about = json.loads(path.read_text())
    about['dataset']['name'] = name
    about['command'] = f'{command} --workdir {folder}'
    path.write_text(json.dumps(about))
  return folders


@pytest.fixture
def runs(tmp_path):
  """On one data set three pairs and a test split, on another two pairs."""
  return [
      *on(write_table(tmp_path / 'a', test=True), 'earth'),
      *on(write_table(tmp_path / 'b', seeds=(4, 5)), 'mine'),
  ]


def mean_iou(folder, file):
  return json.loads((folder / file).read_text())['mean_iou']


def test_a_verdict_is_of_the_test_split_where_there_is_one(page, runs):
  earth, mine = page.read(runs)
  assert (earth.name, earth.split) == ('Earth', 'test')
  assert (mine.name, mine.split) == ('mine', 'validation')
  assert earth.found.values == tuple(
      mean_iou(runs[3 + place], 'scores_test.json')
      - mean_iou(runs[place], 'scores_test.json') for place in range(3)
  )


def test_the_figure_is_true_to_scale(page, runs):
  found = page.read(runs)
  svg = page.vega.on_paper(page.forest(found))
  assert 'var(' not in svg and 'fill="#fff"' in svg
  root = ElementTree.fromstring(svg)
  assert {'Earth', 'test, 3 pairs', 'mine', 'validation, 2 pairs'} <= {
      text.text for text in root.iter() if text.tag.endswith(('text', 'tspan'))
  }
  dots = sorted(
      float(re.findall(r'[-\d.]+', one.get('transform'))[0])
      for one in root.iter() if one.get('fill') == '#2158d9'
  )
  values = sorted(value for one in found for value in one.found.values)
  assert len(dots) == len(values) == 5
  unit = (dots[-1] - dots[0]) / (values[-1] - values[0])
  for dot, value in zip(dots, values, strict=True):
    assert dot == pytest.approx(dots[0] + unit * (value - values[0]), abs=0.1)
  (band,) = (one for one in root.iter() if one.get('fill') == '#dcdfe3')
  left, right = map(float, re.match(
      r'M([-\d.]+),\S*?h([-\d.]+)', band.get('d')
  ).groups())
  assert right == pytest.approx(0.02 * unit, abs=0.2)
  assert left == pytest.approx(dots[0] - unit * (values[0] + 0.01), abs=0.2)


def test_it_prints_tables_and_writes_the_figure(page, runs, tmp_path, capsys):
  figure = tmp_path / 'new' / 'verdict.svg'
  page.run(page.Arguments(tuple(map(str, runs)), str(figure)))
  assert figure.read_text().startswith('<svg')
  rows = [
      [cell.strip() for cell in line.strip('|').split('|')]
      for line in capsys.readouterr().out.splitlines() if line[:1] == '|'
  ]
  head, first, second = (
      row for row in rows if len(row) == 12 and row[0][0] != '-'
  )
  assert first[:3] == ['Earth', 'test', '3']
  earth, mine = page.read(runs)
  assert first[head.index('difference')] == page.difference(earth.found.mean)
  # The smaller p of two counts twice.
  p = min(page.evidence.weigh(one.found.values).p_t for one in (earth, mine))
  place = head.index('p, Holm')
  assert page.chance(min(1, 2 * p)) in (first[place], second[place])
  arms = [row for row in rows if row[0] in ('Earth', 'mine') and len(row) == 6]
  assert [row[1] for row in arms] == ['0, 1, 2', '0, 1, 2', '4, 5', '4, 5']
  assert {row[2] for row in arms} == {'abc1234'}
  assert {row[5] for row in arms} == {'`python experiments/x.py`'}


def test_folds_widen_the_interval_by_hand(page):
  pairs = range(10)
  found = paired(
      {place: float(place) for place in pairs}, dict.fromkeys(pairs, 0.0)
  )
  wide = page.widen(found, folds=5)
  # Stanford Background's folds: 1/10 + 143/572 instead of 1/10.
  assert wide.high - wide.mean == pytest.approx(
      math.sqrt((1 / 10 + 143 / 572) * 10) * (found.high - found.mean)
  )
  assert wide.mean - wide.low == pytest.approx(wide.high - wide.mean)
  assert wide.values == found.values


def test_runs_over_folds_say_what_they_share(page, new_run):
  found = page.read([
      new_run(f'{weight}-{fold}', weight=weight, data={'fold': fold},
              confusion=confusion_of(weight, fold))
      for weight in (0.0, 0.1) for fold in (0, 1)
  ])
  text = ' '.join(page.said(found))
  assert 'toy: with an allowance for images that folds share' in text
  assert '2 folds x 1 seed' in text


def test_what_cannot_be_compared_is_one_line(page, runs, tmp_path):
  with pytest.raises(UserError, match='no run was named'):
    page.read(())
  with pytest.raises(UserError, match=r'on earth without its control'):
    page.read(runs[3:6])
  with pytest.raises(UserError, match=r'--figure a\.png: .* \.svg'):
    page.run(page.Arguments(tuple(map(str, runs)), 'a.png'))
  (tmp_path / 'file').touch()
  with pytest.raises(UserError, match=r'--figure .* cannot be written'):
    page.run(page.Arguments(tuple(map(str, runs)), f'{tmp_path}/file/a.svg'))


@pytest.mark.parametrize('command, kept', [
    ('python experiments/earth.py --workdir /a/b --seed 2',
     'python experiments/earth.py'),
    ('python x.py --data.root "/a b" --data.fold 3 --name c --seed=4',
     'python x.py --name c'),
])
def test_a_command_is_shown_without_what_is_a_runs_own(page, command, kept):
  assert page.settings(command) == kept.split()
