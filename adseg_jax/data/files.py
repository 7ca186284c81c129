"""The TFDS builder of data sets whose original files we read ourselves."""

import io
import json
import logging
import pathlib

import tensorflow_datasets as tfds

from adseg_jax import config, files
from adseg_jax.data.copies import ORIGIN
from adseg_jax.data.dataset import Dataset
from adseg_jax.data.inspection import Inspection, readings
from adseg_jax.data.labels import encode
from adseg_jax.data.originals import refuse


class Files(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Prepares the original files of any data set.

  The prepared copy's folder is named after a digest of the originals, so that
  another folder, or a changed one, is never taken for it.
  """

  # 1.0.0 kept images as an EXIF tag has not turned them; 1.1.0 read each label
  # as its own mode said.
  VERSION = tfds.core.Version('1.2.0')
  # TFDS's own search for this file needs importlib_resources, which it does
  # not declare for current Pythons.
  code_path = pathlib.Path(__file__)

  def __init__(self, dataset: Dataset, data: config.Data):
    """A builder for the files in `data.root`.

    Raises:
      UserError: files are missing, or do not go together.
    """
    self.dataset, self.name = dataset, dataset.name
    self.originals = dataset.originals(data)
    refuse(dataset.name, self.originals.wrong())
    self.originals = self.originals.limited(data.limit)
    self._inspection = Inspection(dataset, self.originals.splits)
    # TFDS warns of a configuration that it does not know by name.
    logging.getLogger('absl').setLevel(logging.ERROR)
    super().__init__(
        data_dir=data.prepared or None,
        config=tfds.core.BuilderConfig(name=self.originals.digest()),
    )

  def download_and_prepare(self, **options):
    """Prepares the copy, if there is none, and keeps what it was made from."""
    super().download_and_prepare(**options)
    files.write(self.data_path / ORIGIN, json.dumps({
        'root': str(self.originals.root.resolve()),
        'said': self.originals.said(),
    }, indent=2).encode())

  def _info(self) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
        builder=self,
        description=self.name,
        homepage=self.dataset.source.homepage or None,
        license=self.dataset.source.licence or None,
        features=tfds.features.FeaturesDict({
            'image': tfds.features.Image(shape=(None, None, 3)),
            'label': tfds.features.Image(shape=(None, None, 1)),
            'name': tfds.features.Text(),
        }),
    )

  def _split_generators(self, dl_manager):
    return {
        split: self._generate_examples(split)
        for split in self.originals.splits
    }

  def _generate_examples(self, split):
    for reading in readings(self.dataset, self.originals, split):
      refuse(self.dataset.name, self._inspection.add(split, reading))
      yield reading.name, {
          # A file is stored as it is, an array would be encoded again.
          'image': io.BytesIO(reading.image),
          'label': io.BytesIO(encode(reading.label.ids)),
          'name': reading.name,
      }
    if split == list(self.originals.splits)[-1]:
      refuse(self.dataset.name, self._inspection.end())
