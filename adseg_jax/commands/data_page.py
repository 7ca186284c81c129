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
from adseg_jax.evaluation.gallery import paletted
from adseg_jax.reporting.numbers import NONE
from adseg_jax.reporting.pages import render
from adseg_jax.reporting.pictures import Picture, legend, uri
from adseg_jax.reporting.tables import Row, Table, terminal
from adseg_jax.wording import counted

PAGE = 'index.html'
_WIDEST = 480  # of an embedded picture, in pixels
_OPACITY = 0.6  # of the classes above the image
_STRIPES = 170, 215  # greys of void, in bands of _BAND pixels
_BAND = 4
_SIZES = 3  # shown of each split


def _sizes(sizes: Counter) -> str:
  known = [one for one in sizes.most_common() if one[0]]
  return shorten([
      f'{width}x{height}' + (f' ({count})' if known[1:] else '')
      for (width, height), count in known
  ], _SIZES)


def _tables(found: Findings) -> dict[str, Table]:
  """Images and sizes, shares of pixels, and kinds of faults."""
  kinds, shares = {}, []
  for fault in found.faults:
    kinds.setdefault(fault.kind, []).append(fault)
  for tally in found.tallies.values():
    counts = [*map(int, tally.pixels), tally.void]
    shares.append([
        f'{100 * count / sum(counts):.2f} %' if count else NONE
        for count in counts
    ])
  keys = legend(found.dataset.classes, found.dataset.palette)
  return {
      'splits': Table(['split', 'images', 'sizes'], [
          Row([split, f'{tally.images:,}', _sizes(tally.sizes)])
          for split, tally in found.tallies.items()
      ], style=''),
      'classes': Table(['class', *found.tallies], [
          Row([key.text, *cells], key.colour)
          for key, *cells in zip(keys, *shares, strict=True)
      ], style=''),
      'faults': Table(['wrong', 'count', 'where'], [
          Row([kind, f'{len(faults):,}', '; '.join(filter(None, (
              shorten(fault.where for fault in faults), faults[0].detail
          )))]) for kind, faults in kinds.items()
      ], style='text'),
  }


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
  return counted(len(found.faults), 'thing is', 'things are') + ' wrong.'


def table(found: Findings) -> Group:
  """What was found, for a terminal."""
  parts = [*map(Text, _about(found)), Text()]
  for one in _tables(found).values():
    if one.rows:
      parts += [terminal(one, left=('sizes', 'where')), Text()]
  parts += [Text(f'Note: {warning}') for warning in found.warnings]
  return Group(*parts)


def write_page(found: Findings, folder: Path) -> Path:
  """Writes a self-contained HTML page with overlays into a folder.

  Raises:
    UserError: the folder can't be written.
  """
  examples = {}
  for sample in found.samples:
    named = '; '.join([sample.name, *sample.faults])
    above = _overlay(sample, found.dataset.palette)
    examples.setdefault(sample.split, []).extend(
        Picture(uri(picture, 'jpeg', quality=85), '', caption)
        for caption, picture in zip((named, 'classes'), above, strict=True)
    )
  text = render(
      'data.html', title=f'{found.dataset.name}: check', found=found,
      verdict=verdict(found), about=_about(found), examples=examples,
      legend=legend(found.dataset.classes, found.dataset.palette),
      **_tables(found),
  )
  path = Path(folder) / PAGE
  with files.writing('--output', folder):
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, text.encode())
  return path


def _overlay(sample: Sample, palette):
  """The image, and its classes above it; both at most _WIDEST wide."""
  image = Image.open(io.BytesIO(sample.image)).convert('RGB')
  image.thumbnail((_WIDEST, _WIDEST))
  ids = np.asarray(
      Image.fromarray(sample.ids).resize(image.size, Image.Resampling.NEAREST)
  )
  rows, columns = np.indices(ids.shape)
  void = np.array(_STRIPES, np.uint8)[(rows + columns) // _BAND % 2]
  top = np.where(
      (ids < len(palette))[..., None], paletted(ids, palette).convert('RGB'),
      void[..., None],
  )
  return image, Image.blend(image, Image.fromarray(top), _OPACITY)
