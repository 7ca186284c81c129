import base64
import io
import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from fake_run import CLASSES, PALETTE, confusion_of, label_map, write_table
from PIL import Image
from scipy import stats

from adseg_jax.errors import UserError
from adseg_jax.evaluation import metrics
from adseg_jax.evaluation.evidence import weigh
from adseg_jax.reporting import numbers, report

VOID_TAGS = ('meta', 'img', 'br')


class _Page(HTMLParser):
  """Tags with their attributes, rows of tables, and whether tags match."""

  def __init__(self, text):
    super().__init__()
    self.tags, self.rows, self.stack, self.texts = [], [], [], []
    self.feed(text)
    self.close()

  def handle_starttag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))
    if tag == 'tr':
      self.rows.append([])
    if tag in ('td', 'th'):
      self.rows[-1].append('')
    if tag not in VOID_TAGS:
      self.stack.append(tag)

  def handle_startendtag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))

  def handle_endtag(self, tag):
    assert self.stack.pop() == tag

  def handle_data(self, data):
    self.texts.append(data)
    if {'td', 'th'} & set(self.stack):
      self.rows[-1][-1] += data

  def row(self, first, length):
    return next(
        row for row in self.rows if row[0] == first and len(row) == length
    )

  def pictures(self, caption):
    for tag, attributes in self.tags:
      if tag == 'img' and attributes['alt'] == caption:
        data = attributes['src'].partition('base64,')[2]
        yield Image.open(io.BytesIO(base64.b64decode(data)))


def _page(folders, tmp_path):
  output = report.write_report(folders, tmp_path / 'out' / 'report.html')
  return _Page(output.read_text('utf-8'))


def test_nothing_outside_the_file_is_referred_to(pair, tmp_path):
  page = _page(pair, tmp_path)
  assert not page.stack
  assert not {'script', 'link', 'iframe', 'object'} & {t for t, _ in page.tags}
  for _, attributes in page.tags:
    assert attributes.get('src', 'data:image/').startswith('data:image/')
    assert not {'href', 'xlink:href', 'srcset', 'data'} & attributes.keys()
  text = (tmp_path / 'out' / 'report.html').read_text('utf-8')
  assert not re.search(r'https?:|url\(|@import|file:', text)
  assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
      'report.csv', 'report.html', 'report.md'
  ]


def test_strings_from_files_are_escaped(pair, tmp_path):
  page = _page(pair, tmp_path)
  shown = {row[0] for row in page.rows}
  assert set(CLASSES) <= shown
  assert {*CLASSES, '<Toy>', 'toy.py --a "<b>"'} <= set(page.texts)
  assert not {'sea', 'toy'} & {tag for tag, _ in page.tags}
  assert f'{CLASSES[1]} as {CLASSES[0]}: 5 pixels' in page.texts


def test_scores_are_those_of_the_file(pair, tmp_path):
  page = _page(pair[:1], tmp_path)
  # By hand: IoU 80 / (100 + 85 - 80), 95 / (100 + 105 - 95), 0 / 10.
  assert page.row(CLASSES[0], 5)[1:] == ['50.0%', '0.762', '0.800', '0.941']
  assert page.row(CLASSES[1], 5)[1:] == ['50.0%', '0.864', '0.950', '0.905']
  dash = numbers.NONE
  assert page.row(CLASSES[2], 5)[1:] == ['0.0%', '0.000', dash, '0.000']
  assert page.row('mean', 5)[2:4] == ['0.542', '0.875']
  assert f'{CLASSES[0]} as {CLASSES[1]}: 10 pixels' in page.texts
  # 12.5: the median of 11 to 14 images per second.
  for text in ('0.542', '0.875', '1 min 15 s', '12.5'):
    assert text in page.texts


def test_the_control_stands_beside(pair, tmp_path):
  page = _page(pair, tmp_path)
  # The control's IoU of class 0: 80 / (120 + 85 - 80) = 0.64.
  assert page.row(CLASSES[0], 5)[2:] == ['0.762', '0.640', '+0.122']
  assert page.row(CLASSES[1], 5)[2:] == ['0.864', '0.731', '+0.133']
  assert page.row('mean', 5)[2:] == ['0.542', '0.457', '+0.085']
  assert 'validation, +0.085 vs control' in page.texts
  assert any('no interval can be given' in text for text in page.texts)
  assert len(list(page.pictures('truth'))) == 1
  captions = [a['alt'] for tag, a in page.tags if tag == 'img']
  assert captions == [
      'image', 'truth', 'adversary.weight 0', 'adversary.weight 0.1',
      'who is right',
  ]


def test_without_an_adversary_its_curves_are_left_out(pair, tmp_path):
  both = _page(pair, tmp_path).texts
  alone = _page(pair[1:], tmp_path).texts
  assert 'Adversarial losses' in both
  assert 'D(fake)' in both
  assert 'Adversarial losses' not in alone
  assert 'difference' not in alone
  assert any('without an adversary' in text for text in alone)


def test_label_maps_wear_the_palette(pair, tmp_path):
  page = _page(pair, tmp_path)
  wanted = {'truth': 1, 'adversary.weight 0.1': 10, 'adversary.weight 0': 20}
  for caption, seed in wanted.items():
    (picture,) = page.pictures(caption)
    pixels = np.asarray(picture.convert('RGBA'))
    label = label_map(seed)
    assert pixels.shape == (6, 8, 4)
    assert (pixels[label == 255, 3] == 0).all()
    for index, colour in enumerate(PALETTE):
      assert (pixels[label == index] == [*colour, 255]).all()


def test_photographs_are_embedded(pair, tmp_path):
  (picture,) = _page(pair, tmp_path).pictures('image')
  pixels = np.asarray(picture).astype(int)
  assert pixels.shape == (6, 8, 3)
  assert abs(pixels - 128).max() <= 2


def test_the_overview_is_shown_where_there_is_one(pair, tmp_path):
  assert 'Overview' not in _page(pair, tmp_path).texts
  for folder in pair:
    (folder / 'overview').mkdir()
    for name in ('image', 'truth', 'prediction'):
      picture = np.zeros((5, 9), np.uint8)
      Image.fromarray(picture).save(folder / 'overview' / f'{name}.png')
  (pair[0] / 'overview' / 'caption.txt').write_text('a <world>\n')
  page = _page(pair, tmp_path)
  assert {'Overview', 'a <world>'} <= set(page.texts)
  wide = [a['alt'] for tag, a in page.tags if a.get('class') == 'wide']
  assert wide == [
      'truth', 'adversary.weight 0.1, seed 0', 'adversary.weight 0, seed 0',
      'image',
  ]


def test_settings_that_differ_come_first(pair, tmp_path):
  page = _page(pair, tmp_path)
  rows = [row for row in page.rows if len(row) == 4]
  start = next(at for at, row in enumerate(rows) if row[0] == 'setting')
  assert rows[start][1:] != rows[start + 1][1:]
  changed = itertools.takewhile(lambda row: row[0] != 'setting',
                                rows[start + 1:])
  assert list(changed) == [
      ['name', '<Toy>', '<Toy>', 'experiment'],
      ['seed', '0', '0', '0'],
      ['adversary.weight', '0.1', '0.0', '0.1'],
      ['optimizer.steps', '4', '4', '1000'],
  ]
  assert ['data.crop', *['[128, 128]'] * 3] in rows
  assert any('commit abc1234; python 3.12.1' in text for text in page.texts)


def test_a_second_difference_is_in_the_names(pair, new_run, tmp_path):
  other = new_run('other', weight=0.0, seed=3, steps=5)
  page = _page([pair[0], other], tmp_path)
  assert 'A: adversary.weight 0.1, optimizer.steps 4' in {
      row[0] for row in page.rows
  }
  assert any('no seed is common to both' in text for text in page.texts)


def test_arms_stand_with_mean_and_deviation(folders, tmp_path):
  page = _page(folders, tmp_path)
  for name, weight in (
      ('adversary.weight 0 (reference)', 0.0), ('adversary.weight 0.1', 0.1)
  ):
    rows = [row for row in page.rows if row[0] == name and len(row) == 8]
    for row, shift in zip(rows, (0, 50), strict=True):
      scores = [
          metrics.scores(confusion_of(weight, seed + shift)).mean_iou
          for seed in range(3)
      ]
      assert row[1] == ('test' if shift else 'validation')
      assert row[3] == (
          f'{np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}'
      )


def test_differences_have_their_interval_and_what_it_shows(folders, tmp_path):
  page = _page(folders, tmp_path)
  found = [row for row in page.rows if row[0] == 'mean IoU' and len(row) == 6]
  assert [row[1] for row in found] == ['validation', 'test']
  for row, shift in zip(found, (0, 50), strict=True):
    ours, theirs = (
        [metrics.scores(confusion_of(weight, seed + shift)).mean_iou
         for seed in range(3)] for weight in (0.1, 0.0)
    )
    low, high = stats.ttest_rel(ours, theirs).confidence_interval()
    holds = low <= 0 <= high
    assert row[3] == (
        f'{numbers.difference(low)} to {numbers.difference(high)}'
    )
    assert row[4] == '3'
    assert ('no difference shown' in row[5]) == holds
    assert holds == any(
        'do not show a difference' in text
        and f', {row[1]}, ' in text for text in page.texts
    )


def test_differences_are_weighed(folders, tmp_path):
  page = _page(folders, tmp_path)
  head = next(row for row in page.rows if 'p, Holm' in row)
  assert head[2:] == [
      'spread', 'p, t', 'p, Holm', 'p, sign flips', 'pairs for 0.005',
      'pairs for 0.01', 'beyond ±0.01',
  ]
  rows = [row for row in page.rows if row[-1].endswith('excluded')]
  assert len(rows) == 6  # measures and splits
  for row, shift in zip(rows[::3], (0, 50), strict=True):
    ours, theirs = (
        [metrics.scores(confusion_of(weight, seed + shift)).mean_iou
         for seed in range(3)] for weight in (0.1, 0.0)
    )
    found = weigh(tuple(np.subtract(ours, theirs)))
    assert row[:4] == [
        'mean IoU', 'test' if shift else 'validation',
        f'{found.deviation_of_pairs:.3f}', numbers.chance(found.p_t),
    ]
    assert row[5:] == [
        numbers.chance(found.p_sign_flips), *(f'{n:,}' for n in found.needed),
        found.excludes,
    ]
    assert any(
        f'beyond ±0.01 are {found.excludes}' in text and f', {row[1]}, ' in text
        for text in page.texts
    )


def test_seeds_have_no_cards_and_many_plots(folders, tmp_path):
  page = _page(folders, tmp_path)
  assert not [a for _, a in page.tags if a.get('class', '').startswith('card')]
  # Six of measures, four curves; differences, confusion for each split.
  assert sum(a.get('class') == 'chart' for _, a in page.tags) == 14
  assert page.rows[-1][-1].endswith(('seed2', 'seed1', 'seed0'))


def test_two_rivals_are_told_apart(tmp_path):
  page = _page(write_table(tmp_path / 'many', (0.0, 0.1, 0.5)), tmp_path)
  assert len(page.row('mean IoU, 0.1', 6)) == len(page.row('mean IoU, 0.5', 6))
  head = next(row for row in page.rows if row[0] == 'class')
  assert head[2:] == [
      'IoU, adversary.weight 0', 'IoU, adversary.weight 0.1',
      'IoU, adversary.weight 0.5', 'difference, 0.1', '95 % interval',
      'difference, 0.5', '95 % interval',
  ]
  assert not page.stack


def test_several_seeds_without_another_arm(folders, tmp_path):
  page = _page(folders[3:], tmp_path)
  texts = ' '.join(page.texts)
  assert '95 %' not in texts and 'Where the arms' not in texts
  assert page.row(CLASSES[0], 5)[2].count('±') == 1


@pytest.mark.parametrize('name,words', [
    ('page.htm', 'ends in .html'), ('file/x.html', 'cannot be written'),
])
def test_an_output_that_cannot_be_written(name, words, pair, tmp_path):
  (tmp_path / 'file').write_text('mine')
  with pytest.raises(UserError, match=words):
    report.write_report(pair, tmp_path / name)
  assert (tmp_path / 'file').read_text() == 'mine'


def test_the_same_runs_give_the_same_page(pair, tmp_path):
  first = report.write_report(pair, tmp_path / 'a.html').read_bytes()
  assert report.write_report(pair, tmp_path / 'b.html').read_bytes() == first
