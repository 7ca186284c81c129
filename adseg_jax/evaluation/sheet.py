"""An evaluation on paper: JSON, CSV, a picture, and a table."""

import csv
import io

import numpy as np
from etils import epath
from PIL import Image, ImageDraw, ImageFont
from rich.table import Table
from rich.text import Text

from adseg_jax.evaluation.measures import OUTLINES
from adseg_jax.evaluation.score import Report
from adseg_jax.files import write, write_picture

_NONE = '\u2013'  # stands where there is no number
_CELL, _FONT, _GAP = 44, 13, 8  # of the picture, in pixels
_DARK = np.array([8, 48, 107])  # colour of a full cell; an empty one is white


def to_dict(report: Report, classes) -> dict:
  """The scores as JSON has them: nan, where a class is absent, as null."""
  found = report.scores
  columns = {
      'iou': found.iou, 'accuracy': found.accuracy,
      'precision': found.precision, 'recall': found.accuracy,
      **report.classes,
  }
  means = found.means | report.means
  return {name: _number(value) for name, value in means.items()} | {
      'classes': [
          {'name': name}
          | {key: _number(values[i]) for key, values in columns.items()}
          | {'pixels': int(found.pixels[i])}
          for i, name in enumerate(classes)
      ],
      'confusion': report.confusion.tolist(),
  }


def _number(value):
  return None if np.isnan(value) else float(value)


def _shown(value) -> str:
  if value is None:
    return _NONE
  return f'{value:,}' if isinstance(value, int) else f'{value:.3f}'


def tables(content: dict) -> list[Table]:
  """The scores per class, and those that are one number, for a terminal.

  Args:
    content: what `to_dict` gave.
  """
  # Of one class's pixels, accuracy and recall are the same share.
  regions = _per_class(content, {
      'iou': 'IoU', 'accuracy': 'accuracy = recall', 'precision': 'precision',
      'pixels': 'pixels',
  })
  total = Table(box=None, pad_edge=False, show_header=False)
  total.add_column()
  total.add_column(justify='right')
  for key, value in content.items():
    if key not in ('classes', 'confusion'):
      name = OUTLINES.get(key.removeprefix('mean_'))
      name = f'mean {name}' if name else key.replace('_', ' ')
      total.add_row(name.replace('iou', 'IoU'), _shown(value))
  return [regions, _per_class(content, OUTLINES), total]


def _per_class(content, titles: dict[str, str]) -> Table:
  shown = Table(box=None, pad_edge=False)
  shown.add_column('class')
  for title in titles.values():
    shown.add_column(title, justify='right')
  for row in content['classes']:
    shown.add_row(Text(row['name']), *(_shown(row[key]) for key in titles))
  return shown


def write_confusion(folder: epath.Path, confusion, classes):
  """confusion.csv, a row for each true class, in pixels; confusion.png."""
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  writer.writerow(['truth \\ prediction', *classes])
  writer.writerows(
      [name, *row] for name, row in zip(classes, confusion, strict=True)
  )
  write(folder / 'confusion.csv', text.getvalue().encode())
  write_picture(folder / 'confusion.png', _draw(confusion, classes))


def _draw(confusion, classes) -> Image.Image:
  """The confusion matrix as a picture: each row's shares, in per cent."""
  confusion = np.asarray(confusion, np.float64)
  share = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
  font = ImageFont.load_default(_FONT)
  left = 2 * _GAP + int(max(font.getlength(name) for name in classes))
  side = left + _CELL * len(classes) + _GAP
  picture = Image.new('RGB', (side, side), 'white')
  pen = ImageDraw.Draw(picture)
  pen.font = font
  for i, name in enumerate(classes):
    middle = left + _CELL * i + _CELL // 2
    pen.text((left - _GAP, middle), name, 'black', anchor='rm')
    picture.paste(_upright(name, font, left), (middle - _FONT, 0))
  pen.text((_GAP, left - _GAP), 'truth', 'grey', anchor='ld')
  for (i, j), part in np.ndenumerate(share):
    x, y = left + _CELL * j, left + _CELL * i
    colour = tuple((255 + part * (_DARK - 255)).astype(int).tolist())
    pen.rectangle((x, y, x + _CELL - 2, y + _CELL - 2), colour)
    pen.text(
        (x + _CELL // 2, y + _CELL // 2), f'{100 * part:.0f}',
        'white' if part > 0.5 else 'black', anchor='mm',
    )
  return picture


def _upright(text: str, font, height: int) -> Image.Image:
  """Text that reads from the bottom to the top, [height, 2 x font size]."""
  strip = Image.new('RGB', (height, 2 * _FONT), 'white')
  ImageDraw.Draw(strip).text(
      (_GAP, _FONT), text, 'black', font=font, anchor='lm'
  )
  return strip.rotate(90, expand=True)
