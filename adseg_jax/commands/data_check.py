"""`adseg data check`: what is in a data set, and what is wrong with it."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from adseg_jax.config import Data
from adseg_jax.data import dataset as datasets
from adseg_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Arguments:
  """Looks at every example of a data set: counts, sizes, classes, mistakes.

  Ends with status 1 if something is wrong; training refuses the same.
  """

  dataset: tyro.conf.Positional[str] = ''
  """Name of the data set; an unknown name lists the known ones."""
  root: Annotated[str, tyro.conf.arg(name='data.root')] = ''
  """Folder of the original files; empty: the environment's ADSEG_DATA."""
  train: Annotated[str, tyro.conf.arg(name='data.train')] = ''
  """Split to train on; empty: the data set's own choice."""
  prepared: Annotated[str, tyro.conf.arg(name='data.prepared')] = ''
  """Folder where TFDS keeps prepared data sets."""
  output: Path | None = None
  """Folder for a page with class colours above images."""


def run(arguments: Arguments):
  """Runs the command.

  Raises:
    UserError: something is wrong with the data set.
  """
  if not arguments.dataset:
    raise UserError(f'name a data set: one of {", ".join(datasets.MODULES)}')
  data = Data(
      arguments.dataset, root=arguments.root, train=arguments.train,
      prepared=arguments.prepared,
  )
  # Slow to import: not before the arguments are read.
  from rich.console import Console

  from adseg_jax.commands.data_page import table, verdict, write_page
  from adseg_jax.data.check import check

  found = check(datasets.find(data), data)
  console = Console()
  console.print(table(found))
  if arguments.output is not None:
    print(f'Page: {write_page(found, arguments.output)}')
  if found.faults:
    raise UserError(verdict(found) + ' Training refuses this data set.')
  print(verdict(found))
