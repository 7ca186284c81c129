"""Pictures of a report, as data URIs, and the legend of their colours."""

import base64
import io
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from adseg_jax.errors import UserError
from adseg_jax.reporting.runs import Run

VOID = 255
_LARGEST = 1400  # longest side of an embedded picture, in pixels
_JPEG_QUALITY = 88


def _open(path):
  try:
    picture = Image.open(path)
    picture.load()
  except (OSError, UnidentifiedImageError) as error:
    raise UserError(
        f'{path} can not be read as a picture ({error}): train the run again'
    ) from None
  return picture


def _uri(picture, kind, **options):
  data = io.BytesIO()
  picture.save(data, kind, **options)
  text = base64.b64encode(data.getvalue()).decode('ascii')
  return f'data:image/{kind};base64,{text}'


def _fitting(picture, resample):
  factor = _LARGEST / max(picture.size)
  if factor >= 1:
    return picture
  width, height = (max(1, round(side * factor)) for side in picture.size)
  return picture.resize((width, height), resample)


def photo(path: Path) -> str:
  """Data URI of a photograph, as JPEG.

  Raises:
    UserError: the file is missing or no picture.
  """
  picture = _fitting(_open(path).convert('RGB'), Image.Resampling.LANCZOS)
  return _uri(picture, 'jpeg', quality=_JPEG_QUALITY)


def label_map(path: Path, palette) -> str:
  """Data URI of an index PNG in the data set's colours; void is transparent.

  Raises:
    UserError: the file is missing or holds no indices.
  """
  picture = _open(path)
  if picture.mode not in ('L', 'P'):
    raise UserError(
        f'{path} has mode {picture.mode}: a label map has mode L or P'
    )
  indices = np.asarray(_fitting(picture, Image.Resampling.NEAREST))
  # What is no class is shown as void is.
  indices = np.where(indices < len(palette), indices, VOID).astype(np.uint8)
  coloured = Image.fromarray(indices)
  coloured.putpalette(bytes(np.asarray(palette, np.uint8)).ljust(768, b'\0'))
  return _uri(coloured, 'png', transparency=VOID, optimize=True)


def swatch(colour) -> str:
  """A small square of a class's colour."""
  red, green, blue = (int(part) for part in colour)
  return f'<i class="swatch" style="background:rgb({red},{green},{blue})"></i>'


def legend(dataset: dict) -> str:
  """Colour and name of every class, and void."""
  keys = [
      f'<span class="key">{swatch(colour)}{escape(name)}</span>'
      for name, colour in zip(
          dataset['classes'], dataset['palette'], strict=True
      )
  ]
  void = '<span class="key"><i class="swatch void"></i>void</span>'
  return f'<div class="keys">{"".join(keys)}{void}</div>'


def _figure(uri, style, caption):
  return (
      f'<figure><img class="{style}" src="{uri}" alt="{escape(caption)}">'
      f'<figcaption>{escape(caption)}</figcaption></figure>'
  )


def panels(runs: list[Run], names: list[str]) -> str:
  """Image, truth and every run's prediction, a row per validation image.

  Empty where the first run kept no images.

  Args:
    runs: the first decides which images are shown.
    names: label of every run.
  """
  palette = runs[0].dataset['palette']
  folder = runs[0].folder / 'panels'
  rows = []
  for path in sorted(folder.glob('*_image.png')):
    stem = path.name.removesuffix('_image.png')
    cells = [
        _figure(photo(path), 'photo', 'image'),
        _figure(
            label_map(folder / f'{stem}_truth.png', palette), 'map', 'truth'
        ),
    ]
    for run, name in zip(runs, names, strict=True):
      guess = run.folder / 'panels' / f'{stem}_prediction.png'
      # Another run may have kept other images.
      if run is runs[0] or guess.exists():
        uri = label_map(guess, palette)
        cells.append(_figure(uri, 'map', f'prediction, {name}'))
    rows.append(
        f'<h3 class="file">{escape(stem)}</h3>'
        f'<div class="panel">{"".join(cells)}</div>'
    )
  return ''.join([legend(runs[0].dataset), *rows]) if rows else ''


def overview(runs: list[Run], names: list[str]) -> str:
  """The large picture, such as a world map; empty if the first run has none."""
  folder = runs[0].folder / 'overview'
  if not (folder / 'prediction.png').exists():
    return ''
  palette = runs[0].dataset['palette']
  maps = {'truth': folder / 'truth.png'} | {
      f'prediction, {name}': run.folder / 'overview' / 'prediction.png'
      for run, name in zip(runs, names, strict=True)
  }
  figures = [
      _figure(label_map(path, palette), 'wide', caption)
      for caption, path in maps.items() if path.exists()
  ]
  for path in sorted(folder.glob('image.*'))[:1]:
    figures.append(_figure(photo(path), 'wide', 'image'))
  caption = folder / 'caption.txt'
  text = caption.read_text('utf-8').strip() if caption.exists() else ''
  return (
      f'<p>{escape(text)}</p>{legend(runs[0].dataset)}'
      f'<div class="overview">{"".join(figures)}</div>'
  )
