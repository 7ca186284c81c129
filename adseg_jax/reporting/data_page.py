"""What a check of a data set found: tables for a terminal, and a page."""

import io
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Group
from rich.text import Text

from adseg_jax import files
from adseg_jax.data.check import Findings, Sample
from adseg_jax.data.dataset import shorten
from adseg_jax.reporting.numbers import NONE
from adseg_jax.reporting.pages import render, writing
from adseg_jax.reporting.pictures import Picture, legend, uri
from adseg_jax.reporting.tables import Row, Table, terminal

PAGE = 'index.html'
_WIDEST = 480  # of an embedded picture, in pixels
_OPACITY = 0.6  # of the classes above the image
_STRIPES = 170, 215  # greys of void, in bands of _BAND pixels
_BAND = 4
_SIZES = 3  # shown of each split


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


def _splits(found: Findings) -> Table:
  """Each split's images and their sizes."""
  return Table(['split', 'images', 'sizes'], [
      Row([split, f'{tally.images:,}', _sizes(tally.sizes)])
      for split, tally in found.tallies.items()
  ], style='')


def _classes(found: Findings) -> Table:
  """Each class's share of a split's pixels, and that of void."""
  columns = []
  for tally in found.tallies.values():
    counts = [*map(int, tally.pixels), tally.void]
    columns.append([_share(count, sum(counts)) for count in counts])
  rows = [
      Row([key.text, *shares], key.colour) for key, *shares in zip(
          legend(found.dataset.classes, found.dataset.palette), *columns,
          strict=True,
      )
  ]
  return Table(['class', *found.tallies], rows, style='')


def _faults(found: Findings) -> Table:
  """Each kind of fault, how often, where."""
  kinds = {}
  for fault in found.faults:
    kinds.setdefault(fault.kind, []).append(fault)
  return Table(['wrong', 'count', 'where'], [
      Row([kind, f'{len(faults):,}', '; '.join(
          [shorten(fault.where for fault in faults)]
          + [fault.detail for fault in faults[:1] if fault.detail]
      )])
      for kind, faults in kinds.items()
  ], style='text')


def _about(found: Findings) -> list[str]:
  lines = [f'{found.dataset.name} in {found.place}']
  source = found.dataset.source
  if source and source.homepage:
    lines.append(f'from {source.homepage}; licence: {source.licence}')
  return [*lines, *found.said]


def verdict(found: Findings) -> str:
  """One line: whether training accepts the data set."""
  if not found.faults:
    return 'Nothing is wrong: training accepts this data set.'
  count = len(found.faults)
  return f'{count:,} thing{"s are" if count > 1 else " is"} wrong.'


def table(found: Findings) -> Group:
  """What was found, for a terminal."""
  parts = [*map(Text, _about(found)), Text()]
  for one in (_splits(found), _classes(found), _faults(found)):
    if one.rows:
      parts += [terminal(one, left=('sizes', 'where')), Text()]
  parts += [Text(f'Note: {warning}') for warning in found.warnings]
  return Group(*parts)


def write_page(found: Findings, folder: Path) -> Path:
  """Writes a self-contained HTML page with overlays into a folder.

  Raises:
    UserError: the folder can't be written.
  """
  path, text = Path(folder) / PAGE, _page(found)
  with writing('--output', folder):
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, text.encode())
  return path


def _page(found: Findings) -> str:
  dataset = found.dataset
  keys = legend(dataset.classes, dataset.palette)
  examples = {}
  for sample in found.samples:
    captions = '; '.join([sample.name, *sample.faults]), 'classes'
    examples.setdefault(sample.split, []).extend(
        Picture(uri(picture, 'jpeg', quality=85), '', caption)
        for caption, picture in zip(
            captions, _pictures(sample, dataset.palette), strict=True
        )
    )
  return render(
      'data.html', title=f'{dataset.name}: check', name=dataset.name,
      verdict=verdict(found), about=_about(found), notes=found.warnings,
      faults=_faults(found), splits=_splits(found),
      classes=_classes(found), legend=keys, examples=examples,
  )


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
