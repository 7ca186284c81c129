import re

import pytest

from adseg_jax.errors import UserError
from adseg_jax.reporting import report
from adseg_jax.reporting.curves import Series, curves


def test_an_svg_is_part_of_a_page():
  chart = curves('a "title"', 'n', [Series('a', [(1, 2.0, 1.0, 3.0)], 0)])
  assert chart.name == 'a-title'
  # A page names no other address, and no part of itself twice.
  assert not re.search(r'xmlns|https?:|url\(|\bid=', chart.svg)
  assert 'aria-label="a &quot;title&quot;"' in chart.svg
  assert 'var(--c0)' in chart.svg


def test_figures_are_in_the_colours_of_paper(folders, tmp_path):
  target = tmp_path / 'new' / 'figures'
  report.write_report(folders, tmp_path / 'a.html', target)
  names = {path.stem for path in target.iterdir()}
  assert {
      'mean-iou-test', 'validation-mean-iou', 'adversarial-losses',
      'difference-of-iou-test', 'confusion-validation',
  } <= names
  assert len(list(target.iterdir())) == 2 * len(names) == 2 * 14
  drawn = (target / 'validation-mean-iou.svg').read_text('utf-8')
  assert 'var(' not in drawn and '#2158d9' in drawn
  for name in names:
    assert (target / f'{name}.pdf').read_bytes().startswith(b'%PDF')
  # One run has no spread: its areas are nan.
  report.write_report(folders[:1], tmp_path / 'a.html', tmp_path / 'one')
  drawn = (tmp_path / 'one' / 'segmentation-loss.svg').read_text('utf-8')
  assert '#2158d9' in drawn


def test_figures_that_cannot_be_written(pair, tmp_path):
  (tmp_path / 'file').write_text('mine')
  with pytest.raises(UserError, match=r'--figures .*: cannot be written'):
    report.write_report(pair, tmp_path / 'a.html', tmp_path / 'file')
  assert (tmp_path / 'file').read_text() == 'mine'
