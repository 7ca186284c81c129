"""What a check of a data set found: tables for a terminal, and a page."""

import base64
import io
import itertools
from collections import Counter
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Group
from rich.table import Table
from rich.text import Text

from adseg_jax import files
from adseg_jax.data.check import Findings, Sample
from adseg_jax.data.dataset import shorten
from adseg_jax.errors import UserError
from adseg_jax.reporting.numbers import NONE
from adseg_jax.reporting.pictures import legend, swatch
from adseg_jax.reporting.style import STYLE

PAGE = 'index.html'
_WIDEST = 480  # of an embedded picture, in pixels
_OPACITY = 0.6  # of the classes above the image
_STRIPES = 170, 215  # greys of void, in bands of _BAND pixels
_BAND = 4
_SIZES = 3  # shown of each split
_WIDE = 'grid-template-columns:repeat(auto-fit,minmax(240px,1fr))'


def _share(part, whole) -> str:
  return f'{100 * part / whole:.2f} %' if part else NONE


def _sizes(sizes: Counter) -> str:
  known = [one for one in sizes.most_common() if one[0]]
  shown = ', '.join(
      f'{size[0]}x{size[1]}' + (f' ({count})' if known[1:] else '')
      for size, count in known[:_SIZES]
  )
  rest = len(known) - _SIZES
  return shown + (f' and {rest} more' if rest > 0 else '')


def _splits(found: Findings) -> tuple[list, list]:
  """Head and rows of the table of splits."""
  return ['split', 'images', 'sizes'], [
      [split, f'{tally.images:,}', _sizes(tally.sizes)]
      for split, tally in found.tallies.items()
  ]


def _classes(found: Findings) -> tuple[list, list]:
  """Head and rows of the table of classes: the share of a split's pixels."""
  tallies = found.tallies.values()
  whole = [int(tally.pixels.sum()) + tally.void for tally in tallies]
  rows = [
      [name, *(
          _share(tally.pixels[index], total)
          for tally, total in zip(tallies, whole, strict=True)
      )]
      for index, name in enumerate(found.dataset.classes)
  ]
  void = [
      _share(tally.void, total)
      for tally, total in zip(tallies, whole, strict=True)
  ]
  return ['class', *found.tallies], [*rows, ['void', *void]]


def _faults(found: Findings) -> tuple[list, list]:
  """Head and rows of the table of faults: each kind, how often, where."""
  kinds = {}
  for fault in found.faults:
    kinds.setdefault(fault.kind, []).append(fault)
  return ['wrong', 'count', 'where'], [
      [kind, f'{len(faults):,}', '; '.join(
          [shorten(fault.where for fault in faults)]
          + [fault.detail for fault in faults[:1] if fault.detail]
      )]
      for kind, faults in kinds.items()
  ]


def _about(found: Findings) -> list[str]:
  lines = [f'{found.dataset.name} in {found.place}']
  source = found.dataset.source
  if source and source.homepage:
    lines.append(f'from {source.homepage}; licence: {source.licence}')
  return lines


def verdict(found: Findings) -> str:
  """One line: whether training accepts the data set."""
  if not found.faults:
    return 'Nothing is wrong: training accepts this data set.'
  count = len(found.faults)
  return f'{count:,} thing{"s are" if count > 1 else " is"} wrong.'


def table(found: Findings) -> Group:
  """What was found, for a terminal."""
  parts = [*map(Text, _about(found)), Text()]
  for head, rows in (_splits(found), _classes(found), _faults(found)):
    if rows:
      shown = Table(*head[:1], box=None, pad_edge=False)
      for title in head[1:]:
        numbers = title not in ('sizes', 'where')
        shown.add_column(
            title, justify='right' if numbers else 'left', no_wrap=numbers
        )
      for row in rows:
        shown.add_row(*map(Text, row))
      parts += [shown, Text()]
  parts += [Text(f'Note: {warning}') for warning in found.warnings]
  return Group(*parts)


def write_page(found: Findings, folder: Path) -> Path:
  """Writes a self-contained HTML page with overlays into a folder.

  Raises:
    UserError: the folder can't be written.
  """
  path = Path(folder) / PAGE
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, _page(found).encode())
  except OSError as error:
    raise UserError(
        f'--output {folder}: cannot be written ({error.strerror}): give '
        'another folder'
    ) from error
  return path


def _page(found: Findings) -> str:
  dataset = found.dataset
  colours = {
      name: swatch(colour)
      for name, colour in zip(dataset.classes, dataset.palette, strict=True)
  } | {'void': '<i class="swatch void"></i>'}
  classes, faults = _classes(found), _faults(found)
  notes = ''.join(f'<li>{escape(text)}</li>' for text in found.warnings)
  sections = {
      'Wrong': _html(*faults, style='text') if faults[1] else '',
      'Notes': f'<ul>{notes}</ul>' if notes else '',
      'Splits': _html(*_splits(found)),
      'Share of pixels': _html(*classes, marks=colours),
      'Examples': _overlays(found),
  }
  body = ''.join(
      f'<section><h2>{title}</h2>{content}</section>'
      for title, content in sections.items() if content
  )
  about = ''.join(f'<p class="faint">{escape(t)}</p>' for t in _about(found))
  return (
      '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
      '<meta name="viewport" content="width=device-width, initial-scale=1">'
      f'<title>{escape(dataset.name)}: check</title><style>{STYLE}</style>'
      f'</head><body><header><h1>{escape(dataset.name)}</h1>'
      f'<p class="lead">{escape(verdict(found))}</p>{about}</header>{body}'
      '</body></html>\n'
  )


def _html(head, rows, style='', marks=None) -> str:
  """A table; `marks` stand before the first cells."""
  marks = marks or {}
  titles = ''.join(f'<th>{escape(title)}</th>' for title in head)
  lines = ''.join(
      f'<tr><th>{marks.get(row[0], "")}{escape(row[0])}</th>'
      + ''.join(f'<td>{escape(cell)}</td>' for cell in row[1:]) + '</tr>'
      for row in rows
  )
  return (
      f'<div class="scroll"><table class="{style}"><thead><tr>{titles}</tr>'
      f'</thead><tbody>{lines}</tbody></table></div>'
  )


def _overlays(found: Findings) -> str:
  palette = found.dataset.palette
  parts = [legend({'classes': found.dataset.classes, 'palette': palette})]
  for split, samples in itertools.groupby(found.samples, lambda s: s.split):
    figures = [
        f'<figure><img src="{_uri(picture)}" alt="{escape(caption)}">'
        f'<figcaption>{escape(caption)}</figcaption></figure>'
        for sample in samples
        for caption, picture in zip(
            ('; '.join([sample.name, *sample.faults]), 'classes'),
            _pictures(sample, palette), strict=True,
        )
    ]
    parts.append(
        f'<h3 class="file">{escape(split)}</h3>'
        f'<div class="panel" style="{_WIDE}">{"".join(figures)}</div>'
    )
  return ''.join(parts)


def _pictures(sample: Sample, palette):
  """The image, and its classes above it; both at most _WIDEST wide."""
  image = Image.open(io.BytesIO(sample.image)).convert('RGB')
  image.thumbnail((_WIDEST, _WIDEST))
  ids = np.asarray(
      Image.fromarray(sample.ids).resize(image.size, Image.Resampling.NEAREST)
  )
  colours = np.zeros((256, 3), np.uint8)
  colours[:len(palette)] = palette
  rows, columns = np.indices(ids.shape)
  void = np.array(_STRIPES, np.uint8)[(rows + columns) // _BAND % 2]
  top = np.where((ids < len(palette))[..., None], colours[ids], void[..., None])
  return image, Image.blend(image, Image.fromarray(top), _OPACITY)


def _uri(picture: Image.Image) -> str:
  data = io.BytesIO()
  picture.save(data, 'jpeg', quality=85)
  return (
      'data:image/jpeg;base64,'
      + base64.b64encode(data.getvalue()).decode('ascii')
  )
