"""A split of a data set in memory: encoded, checked, in a fixed order."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import io
import os

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from adseg_jax import config
from adseg_jax.data.dataset import Dataset, limited
from adseg_jax.data.inspection import misfits
from adseg_jax.data.labels import encode
from adseg_jax.data.originals import ROOT_VARIABLE, refuse
from adseg_jax.errors import UserError

# JAX computes on the accelerators; TensorFlow would take all their memory.
tf.config.set_visible_devices([], 'GPU')

_DOWNLOAD_ERRORS = (
    tfds.core.download.util.DownloadError,
    tfds.core.download.download_manager.NonMatchingChecksumError,
    tfds.core.download.extractor.ExtractError,
)


@dataclasses.dataclass(frozen=True)
class Examples:
  """Examples of a split, sorted by name.

  Attributes:
    images: encoded JPEG or PNG files.
    labels: encoded 8-bit grey PNG files of class ids; 255 is void.
    names: name of each example.
  """

  images: tuple[bytes, ...]
  labels: tuple[bytes, ...]
  names: tuple[str, ...]

  def __len__(self) -> int:
    return len(self.names)

  @functools.cached_property
  def tensors(self) -> tuple:
    """Images and labels as TensorFlow reads them: one copy for all streams."""
    return tf.constant(self.images), tf.constant(self.labels)

  def part(self, index: int, count: int) -> 'Examples':
    """Every `count`-th example, from `index` on: a host's share."""
    return Examples(
        self.images[index::count], self.labels[index::count],
        self.names[index::count],
    )


def load(dataset: Dataset, split: str, data: config.Data) -> Examples:
  """Reads a split into memory, after preparing the data set if needed.

  Args:
    dataset: the data set.
    split: name of the split.
    data: where the files are.

  Raises:
    UserError: the data set can't be prepared, has no such split or nothing in
      it, or an example's label does not fit the image or the classes.
  """
  rows = limited(sorted(stored(dataset, split, data)), data.limit)
  # Pillow decodes outside Python's global lock, so threads help.
  with concurrent.futures.ThreadPoolExecutor() as pool:
    list(pool.map(lambda row: _check(dataset, *row), rows))
    if any(data.size):
      rows = list(pool.map(lambda row: _resize(*row, data.size), rows))
  names, images, labels = zip(*rows, strict=True)
  return Examples(images, labels, names)


def stored(dataset: Dataset, split: str, data: config.Data) -> list[tuple]:
  """Name, encoded image and encoded label of each example, not checked.

  Raises:
    UserError: the data set can't be prepared, has no such split or nothing in
      it.
  """
  builder = _prepare(dataset, data)
  try:
    builder.info.splits[split]  # a part, as 'train[:90%]', is one too
  except (KeyError, ValueError):
    raise UserError(
        f'data set {dataset.name} has no split {split!r}; it has: '
        f'{", ".join(builder.info.splits)}'
    ) from None
  rows = list(_read(builder, split, dataset.features))
  if not rows:
    raise UserError(
        f'split {split!r} of data set {dataset.name} is empty: delete '
        f'{builder.data_dir} and prepare it again'
    )
  if dataset.ids is None:
    return rows
  with concurrent.futures.ThreadPoolExecutor() as pool:
    return list(pool.map(lambda row: _translate(*row, dataset.ids), rows))


def _prepare(dataset: Dataset, data: config.Data):
  """The builder, with its files written."""
  builder = dataset.builder(data)
  if builder.data_path.exists():
    return builder
  tfds.disable_progress_bar()
  options = tfds.download.DownloadConfig(
      try_download_gcs=False,
      # Where TFDS looks for archives that it may not download itself.
      manual_dir=data.root or os.environ.get(ROOT_VARIABLE) or None,
  )
  try:
    # TFDS prints a line about sizes that it does not know.
    with contextlib.redirect_stdout(io.StringIO()):
      builder.download_and_prepare(download_config=options)
  except AssertionError as error:
    raise UserError(
        f"data set {dataset.name} can't be prepared: {error} Check that "
        'each split has images'
    ) from error
  except (OSError, tf.errors.OpError, *_DOWNLOAD_ERRORS) as error:
    # Another process may have prepared the same folder in the meantime.
    builder = dataset.builder(data)
    if not builder.data_path.exists():
      raise UserError(
          f"data set {dataset.name} can't be prepared in "
          f'{builder.data_dir}: {error}; give another folder as --data.prepared'
      ) from error
  return builder


def _read(builder, split: str, features):
  """Yields name, encoded image and encoded label of each example."""
  encoded = tfds.decode.SkipDecoding()
  name, image, label = features
  examples = builder.as_dataset(
      split=split, decoders={image: encoded, label: encoded}
  )
  for example in examples.as_numpy_iterator():
    yield example[name].decode(), example[image], example[label]


def _translate(name: str, image: bytes, label: bytes, ids):
  """The same example, its label's values replaced by class ids."""
  with Image.open(io.BytesIO(label)) as mask:
    values = np.asarray(mask)
  return name, image, encode(np.array(ids, np.uint8)[values])


def _check(dataset: Dataset, name: str, image: bytes, label: bytes):
  """Refuses an example that training would misread in silence."""
  where = f'example {name}'
  try:
    size = Image.open(io.BytesIO(image)).size
    mask = Image.open(io.BytesIO(label))
    ids = np.asarray(mask)
  except OSError as error:
    raise UserError(
        f'data set {dataset.name}, {where}: broken file, replace it: {error}'
    ) from error
  if mask.mode != 'L':
    # TensorFlow would turn a palette's indices into brightness.
    raise UserError(
        f'data set {dataset.name}, {where}: the label is a PNG of mode '
        f'{mask.mode}; store class ids as 8-bit grey'
    )
  refuse(dataset.name, list(misfits(len(dataset.classes), where, size, ids)))


def _resize(name: str, image: bytes, label: bytes, size: tuple[int, int]):
  """The same example with another height and width, as PNG files."""
  shape = size[::-1]
  with Image.open(io.BytesIO(image)) as picture:
    # Pillow's filters widen when they reduce, so nothing aliases.
    picture = picture.convert('RGB').resize(shape, Image.Resampling.BICUBIC)
  with Image.open(io.BytesIO(label)) as mask:
    ids = np.asarray(mask.resize(shape, Image.Resampling.NEAREST))
  file = io.BytesIO()
  picture.save(file, 'png', compress_level=1)
  return name, file.getvalue(), encode(ids)
