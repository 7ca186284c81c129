import re

import numpy as np
import pytest

from adseg_jax.inference.demo import words

CLASSES = 'sky', '<b>', 'a & b', 'sea'
PALETTE = (1, 2, 3), (40, 50, 60), (70, 80, 90), (0, 0, 255)


def text(html):
  return ' '.join(re.sub('<[^>]*>', ' ', html).split())


def test_legend_lists_the_largest_share_first():
  html = words.legend(CLASSES, PALETTE, np.array([0.25, 0, 0.7499, 0.0001]))
  assert text(html) == (
      'a &amp; b 75.0 % sky 25.0 % sea &lt; 0.1 % Nowhere: &lt;b&gt;.'
  )
  assert re.findall('width: ([^;]*); background: ([^"]*)', html) == [
      ('75.0%', 'rgb(70 80 90)'), ('25.0%', 'rgb(1 2 3)'),
      ('0.0%', 'rgb(0 0 255)'),
  ]
  assert html.count('swatch') == 3


def test_legend_of_all_classes_has_no_last_line():
  assert text(words.legend(CLASSES[:1], PALETTE, np.ones(1))) == 'sky 100.0 %'


@pytest.mark.parametrize('share,expected', [
    (0, '0.0 %'), (1e-9, '&lt; 0.1 %'), (0.0005, '0.1 %'), (0.123, '12.3 %'),
])
def test_a_share_that_is_not_nothing_does_not_look_like_it(share, expected):
  assert words.percent(share) == expected


def test_words_are_escaped():
  for html in (words.title('<i>', 1000), words.told('<i>'), words.wrong('<i>'),
               words.heading('<i>')):
    assert '<i>' not in html and '&lt;i&gt;' in html
  assert 'step 1,000.' in text(words.title('run', 1000))


def test_confidence_says_what_the_least_is():
  html = words.confidence(0.75, 4)
  assert text(html) == '0.25: all 4 classes alike 1: certain Mean: 0.750'
  assert 'rgb(8 48 107), rgb(255 255 255)' in html
