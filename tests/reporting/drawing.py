"""What a chart's SVG shows."""

import math
import re
from xml.etree import ElementTree


def elements(chart):
  return list(ElementTree.fromstring(chart.svg).iter())


def texts(chart):
  return [one.text for one in elements(chart) if one.tag == 'text']


def told(chart):
  """Text that is shown on hovering, and x and y of a mark that is a point."""
  found = []
  for one in elements(chart):
    title = one.find('title')
    if title is not None:
      place = re.findall(r'[-\d.]+', one.get('transform', ''))
      x, y = map(float, place or (math.nan, math.nan))
      found.append((title.text, x, y))
  return found


def lines(chart, colour):
  """Points of each unbroken stretch of the lines in a colour of the style."""
  return [
      [tuple(map(float, point.split(','))) for point in stretch.split('L')]
      for one in elements(chart)
      if one.tag == 'path' and one.get('stroke') == f'var(--{colour})'
      and 'transform' not in one.attrib  # a legend's has one
      for stretch in one.get('d').replace('Z', '').split('M')[1:]
  ]
