"""The benchmark as a page: a plot for each case, and the figures."""

import numpy as np

from adseg_jax.reporting.pages import render
from adseg_jax.reporting.plots import Column, dots
from adseg_jax.reporting.tables import Row, Table
from adseg_jax.reporting.vega import Chart
from benchmarking.figures import HEAD


def plot(case: str, paces: dict) -> Chart:
  """Images per second: a dot for each round, a bar at the median.

  Args:
    case: its name.
    paces: variant -> images per second, one a round.
  """
  columns = [
      Column(
          name, colour,
          {f'round {place}': value for place, value in enumerate(values, 1)},
          float(np.median(values)),
      ) for colour, (name, values) in enumerate(paces.items())
  ]
  note = 'Images per second: a dot is a round, a bar the median.'
  form = '{:.3g}'.format
  return dots(case, note, columns, joined=False, zero=True, form=form)


def page(
    title: str, plots: list[Chart], rows: list[list[str]], words: list[str]
) -> str:
  """HTML of the plots, the table and the lines below it."""
  table = Table(HEAD, [Row(cells) for cells in rows])
  return render(
      'plain.html', title=title, charts=plots, table=table, words=words
  )
