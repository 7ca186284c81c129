import base64
import io
import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from fake_run import CLASSES, CONFUSION, PALETTE, label_map
from PIL import Image

from adseg_jax.evaluation import metrics
from adseg_jax.reporting import report, tables

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
  assert [path.name for path in (tmp_path / 'out').iterdir()] == ['report.html']


def test_strings_from_files_are_escaped(pair, tmp_path):
  page = _page(pair, tmp_path)
  shown = {row[0] for row in page.rows}
  assert set(CLASSES) <= shown
  assert {*CLASSES, '<Toy>', 'toy.py --a "<b>"'} <= set(page.texts)
  assert not {'sea', 'toy'} & {tag for tag, _ in page.tags}
  titles = [a['title'] for tag, a in page.tags if 'title' in a]
  assert f'{CLASSES[1]} as {CLASSES[0]}: 5 pixels' in titles


def test_scores_are_those_of_the_file(pair, tmp_path):
  page = _page(pair[:1], tmp_path)
  # By hand: IoU 80 / (100 + 85 - 80), 95 / (100 + 105 - 95), 0 / 10.
  assert page.row(CLASSES[0], 5)[1:] == ['0.762', '0.800', '0.941', '50.0%']
  assert page.row(CLASSES[1], 5)[1:] == ['0.864', '0.950', '0.905', '50.0%']
  dash = tables.NONE
  assert page.row(CLASSES[2], 5)[1:] == ['0.000', dash, '0.000', '0.0%']
  assert page.row('mean', 5)[1:3] == ['0.542', '0.875']
  assert page.row(CLASSES[0], 4)[1:] == ['80', '10', '10']
  assert page.row(CLASSES[2], 4)[1:] == [dash] * 3
  # 12.5: the median of 11 to 14 images per second.
  for text in ('0.542', '0.875', '1 min 15 s', '12.5'):
    assert text in page.texts


def test_the_control_stands_beside(pair, tmp_path):
  page = _page(pair, tmp_path)
  # The control's IoU of class 0: 80 / (120 + 85 - 80) = 0.64.
  assert page.row(CLASSES[0], 7)[5:] == ['0.640', '+0.122']
  assert page.row(CLASSES[1], 7)[5:] == ['0.731', '+0.133']
  assert page.row('mean', 7)[5:] == ['0.457', '+0.085']
  assert '+0.085 vs control' in page.texts
  assert any('One seed proves nothing' in text for text in page.texts)
  assert len(list(page.pictures('truth'))) == 1
  names = [text for text in page.texts if text.startswith('prediction, ')]
  assert [name.replace('\xa0', ' ') for name in names] == [
      'prediction, λ = 0.1', 'prediction, λ = 0 (control)'
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
  wanted = {'truth': 1, 'prediction, λ\xa0=\xa00.1': 10,
            'prediction, λ\xa0=\xa00 (control)': 20}
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
  assert [alt.replace('\xa0', ' ') for alt in wide] == [
      'truth', 'prediction, λ = 0.1', 'prediction, λ = 0 (control)', 'image'
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
      ['adversary.weight', '0.1', '0.0', '0.1'],
      ['optimizer.steps', '4', '4', '1000'],
  ]
  assert ['data.crop', *['[128, 128]'] * 3] in rows
  assert any('commit abc1234; python 3.12.1' in text for text in page.texts)


def test_a_second_difference_is_told(pair, new_run, tmp_path):
  other = new_run('other', weight=0.0, seed=3, steps=5)
  notes = [t for t in _page([pair[0], other], tmp_path).texts if 'Beside' in t]
  assert notes[0].endswith('differ in: optimizer.steps, seed.')
  assert not [t for t in _page(pair, tmp_path).texts if 'Beside' in t]


def test_seeds_are_averaged(pair, new_run, tmp_path):
  shifted = CONFUSION.copy()
  shifted[0, 0] += 10
  second = new_run('second', seed=1, confusion=shifted)
  page = _page([pair[0], pair[1], second], tmp_path)
  means = [
      metrics.scores(matrix).mean_iou for matrix in (CONFUSION, shifted)
  ]
  expected = f'{np.mean(means):.3f} ± {np.std(means, ddof=1):.3f}'
  assert page.row('λ\xa0=\xa00.1, mean of 2 seeds', 6)[2] == expected
  assert not [row for row in page.rows if '(control), mean' in row[0]]


def test_the_same_runs_give_the_same_page(pair, tmp_path):
  first = report.write_report(pair, tmp_path / 'a.html').read_bytes()
  assert report.write_report(pair, tmp_path / 'b.html').read_bytes() == first


@pytest.mark.parametrize('seconds, text', [
    (0.4, '0 s'), (59.7, '1 min 00 s'), (125, '2 min 05 s'),
    (7260, '2 h 01 min'),
])
def test_duration(seconds, text):
  assert tables.duration(seconds) == text


@pytest.mark.parametrize('value, text', [
    (0.1234, '+0.123'), (-0.02, '\u22120.020'), (-0.0001, '0.000'),
    (float('nan'), tables.NONE),
])
def test_difference(value, text):
  assert tables.difference(value) == text
