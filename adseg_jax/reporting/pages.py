"""Pages from templates; every text in them is escaped."""

import re

import jinja2
from markupsafe import Markup, escape

from adseg_jax.reporting import numbers
from adseg_jax.wording import counted


def _options(text: str) -> Markup:
  """A text whose options are not broken behind their dashes."""
  return Markup(re.sub(r'(--[\w.-]+)', r'<code>\1</code>', escape(text)))


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader('adseg_jax.reporting'), autoescape=True,
    undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {
    'options': _options, 'words': lambda name: str(name).replace('_', '-'),
    'counted': counted, 'ratio': numbers.ratio, 'pace': numbers.pace,
    'difference': numbers.difference, 'duration': numbers.duration,
}
STYLE = _ENVIRONMENT.get_template('style.css').render()


def render(template: str, **content) -> str:
  """A page from the template of that name."""
  return _ENVIRONMENT.get_template(template).render(content)
