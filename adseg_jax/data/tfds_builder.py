"""Builders that TFDS brings along."""

import inspect
import pathlib

import tensorflow_datasets as tfds


def tfds_builder(name: str, prepared: str | pathlib.Path, config: str = ''):
  """TFDS's builder of a data set.

  Args:
    name: TFDS's name of it.
    prepared: folder where TFDS keeps prepared data sets; empty: its default.
    config: name of the builder's configuration.
  """
  kind = tfds.builder_cls(name)
  # TFDS's own search for this file needs importlib_resources, which it does
  # not declare for current Pythons.
  kind.code_path = pathlib.Path(inspect.getfile(kind))
  return kind(data_dir=prepared or None, config=config or None)
