"""Builders that TFDS brings along."""

import inspect
import pathlib

import tensorflow_datasets as tfds


def tfds_builder(name: str, prepared: str | pathlib.Path, config: str = ''):
  """TFDS's builder of a data set, by its name there and its configuration's.

  `prepared` is where TFDS keeps prepared data sets; empty: its default.
  """
  kind = tfds.builder_cls(name)
  # TFDS's own search for this file needs importlib_resources, which it does
  # not declare for current Pythons.
  kind.code_path = pathlib.Path(inspect.getfile(kind))
  return kind(data_dir=prepared or None, config=config or None)
