"""Vega-Lite charts: as SVG in a page's colours, and as figures for a paper.

Specifications are as https://vega.github.io/vega-lite has them. Their colours
are names of the page's style, so that they follow light, dark and print.
"""

import dataclasses
import json
import math
import re
from xml.etree import ElementTree

import vl_convert
from etils import epath
from markupsafe import Markup

from adseg_jax import files
from adseg_jax.reporting.pages import STYLE

# As a phone and a paper show it; a page has a wider font, in 12 pixels.
_TEXT = 13.5
_FAINT = {'labelColor': 'var(--faint)', 'titleColor': 'var(--faint)'}
_CONFIG = {
    'background': None,
    'font': 'Liberation Sans, Arial, sans-serif',
    'view': {'stroke': None},
    'axis': _FAINT | {
        'aria': False, 'labelFontSize': _TEXT, 'titleFontSize': _TEXT,
        'titleFontWeight': 'normal', 'labelPadding': 7, 'tickCount': 5,
        'gridColor': 'var(--rule)', 'domain': False, 'ticks': False,
    },
    'legend': {
        'aria': False, 'title': None, 'orient': 'top',
        'labelColor': 'var(--ink)', 'labelFontSize': _TEXT, 'labelLimit': 0,
        'symbolStrokeWidth': 2, 'symbolSize': 300, 'symbolOpacity': 1,
        'columnPadding': 20,
    },
}


@dataclasses.dataclass(frozen=True)
class Chart:
  """A drawing of a page: a heading, a sentence, what Vega-Lite draws."""

  title: str
  note: str
  spec: dict

  @property
  def name(self) -> str:
    """For a file."""
    return re.sub(r'\W+', '-', self.title.lower()).strip('-')

  @property
  def svg(self) -> Markup:
    """For a page; descriptions of marks are shown where the mouse is."""
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(self.spec))
    for mark in [*root.iter()]:
      mark.tag = mark.tag.rpartition('}')[2]  # HTML has no namespaces
      told = mark.attrib.get('aria-label')
      for key in [*mark.attrib]:
        if key.startswith('aria-') or key in ('role', 'class'):
          del mark.attrib[key]
      if told:
        ElementTree.SubElement(mark, 'title').text = told
    root.attrib |= {'role': 'img', 'aria-label': self.title}
    return Markup(ElementTree.tostring(root, 'unicode'))


def colour(number: int) -> str:
  """A colour of the style for lines; six come round again."""
  return f'var(--c{number % 6})'


def field(name: str, kind: str = 'quantitative', **options) -> dict:
  """A channel that shows a field of the rows."""
  return {'field': name, 'type': kind, **options}


def layer(mark: dict | str, rows: list[dict], **encoding) -> dict:
  """Marks for rows, in which nan is a gap; `description` shows on hovering."""
  known = [
      {key: None if value != value else value for key, value in row.items()}
      for row in rows
  ]
  mark = {'type': mark} if isinstance(mark, str) else mark
  return {
      'mark': mark | {'aria': 'description' in encoding},
      'data': {'values': known}, 'encoding': encoding,
  }


def layered(
    title: str, note: str, layers: list[dict], width: int, height: int, **more
) -> Chart:
  """A chart of layers, the first at the back; `more` are Vega-Lite's."""
  return Chart(title, note, {
      'layer': layers, 'width': width, 'height': height, 'config': _CONFIG,
      'padding': 2, 'autosize': {'type': 'fit', 'contains': 'padding'}, **more,
  })


def scale(values: list[float]) -> dict:
  """A scale over the finite values, with room where all are one."""
  known = [value for value in values if math.isfinite(value)]
  low, high = min(known, default=0), max(known, default=1)
  if low == high:
    margin = abs(low) / 2 or 0.5
    low, high = low - margin, high + margin
  return {'domain': [low, high], 'nice': 5, 'zero': False}


def on_paper(chart: Chart) -> str:
  """The SVG of a file of its own, in the colours of paper."""
  light = dict(re.findall(r'--(\w+): ([^;]+);', STYLE.partition('}')[0]))
  return vl_convert.vegalite_to_svg(re.sub(
      r'var\(--(\w+)\)', lambda name: light[name[1]], json.dumps(chart.spec)
  ))


def write(charts: list[Chart], folder: epath.Path):
  """Writes every chart in the colours of paper, as .svg and .pdf."""
  folder.mkdir(parents=True, exist_ok=True)
  for chart in charts:
    svg = on_paper(chart)
    files.write(folder / f'{chart.name}.svg', svg.encode())
    files.write(folder / f'{chart.name}.pdf', vl_convert.svg_to_pdf(svg))
