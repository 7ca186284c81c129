"""The page's own HTML: what the colours mean, in numbers."""

from html import escape

import numpy as np

from adseg_jax.inference.demo.answer import SURE, UNSURE

STYLE = """
footer { display: none !important; }
.gradio-container {
  width: 100%; max-width: 1280px !important; margin: 0 auto !important;
}
#confidence .image-frame { width: 100%; }
#classes img, #confidence img {
  width: 100%; max-height: 500px; object-fit: contain;
}
.adseg { font-size: .95rem; line-height: 1.5; overflow-wrap: anywhere; }
.adseg h1 { font-size: 1.5rem; line-height: 1.3; margin: 0; }
.adseg h2 { font-size: 1.1rem; margin: 0; }
.adseg p { margin: .2rem 0; }
.adseg .wrong { color: var(--error-text-color); font-weight: 600; }
.adseg table { width: 100%; border-collapse: collapse; }
.adseg :is(table, tr, td) { border: 0; }
.adseg td { padding: .2rem 0; vertical-align: middle; }
.adseg td.share {
  text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums;
  padding-left: .75rem;
}
.adseg td.bar { width: 40%; padding-left: .75rem; }
.adseg .bar i { display: block; height: .6rem; border-radius: 2px; }
.adseg i { box-shadow: inset 0 0 0 1px rgb(128 128 128 / .6); }
.adseg .swatch {
  display: inline-block; width: .9em; height: .9em; border-radius: 2px;
  margin-right: .5em; vertical-align: -.08em;
}
.adseg .ramp { display: block; height: .9rem; border-radius: 3px; }
.adseg .ends { display: flex; justify-content: space-between; }
.adseg .faint { opacity: .75; font-size: .875rem; }
"""


def _rgb(colour) -> str:
  return 'rgb({} {} {})'.format(*colour)


def _block(content: str) -> str:
  return f'<div class="adseg">{content}</div>'


def title(name: str, step: int) -> str:
  """The page's head."""
  return _block(
      f'<h1>{escape(name)}</h1>'
      f'<p class="faint">What the segmentor sees after step {step:,}. '
      'Pictures stay on this machine.</p>'
  )


def heading(text: str) -> str:
  """Above a picture."""
  return _block(f'<h2>{escape(text)}</h2>')


def told(text: str) -> str:
  """A line about the picture that is shown."""
  return _block(f'<p>{escape(text)}</p>')


def wrong(text: str) -> str:
  """A line about a file that can't be shown."""
  return _block(f'<p class="wrong" role="alert">{escape(text)}</p>')


def percent(share: float) -> str:
  """A share of the pixels; one that is not nothing does not look like it."""
  return '&lt; 0.1 %' if 0 < share < 0.0005 else f'{100 * share:.1f} %'


def legend(classes, palette, shares: np.ndarray) -> str:
  """Colour, name and share of the pixels of each class, the largest first."""
  order = np.argsort(-shares, kind='stable')
  rows = ''.join(
      f'<tr><td><i class="swatch" style="background: {_rgb(palette[i])}"></i>'
      f'{escape(classes[i])}</td><td class="bar"><i style="width: '
      f'{100 * shares[i]:.1f}%; background: {_rgb(palette[i])}"></i></td>'
      f'<td class="share">{percent(shares[i])}</td></tr>'
      for i in order if shares[i]
  )
  absent = ', '.join(escape(classes[i]) for i in order if not shares[i])
  return _block(
      f'<table>{rows}</table>'
      + (absent and f'<p class="faint">Nowhere: {absent}.</p>')
  )


def confidence(mean: float, count: int) -> str:
  """The confidence map's colours, and its mean."""
  return _block(
      f'<i class="ramp" style="background: linear-gradient(90deg, '
      f'{_rgb(UNSURE)}, {_rgb(SURE)})"></i>'
      f'<div class="ends faint"><span>{1 / count:.2f}: all {count} classes '
      'alike</span><span>1: certain</span></div>'
      f'<p>Mean: <b>{mean:.3f}</b></p>'
  )
