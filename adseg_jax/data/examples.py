"""A split of a data set in memory: encoded, checked, in a fixed order."""

import concurrent.futures
import contextlib
import dataclasses
import io

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from adseg_jax import config
from adseg_jax.data.dataset import VOID, Dataset
from adseg_jax.errors import UserError

# JAX computes on the accelerators; TensorFlow would take all their memory.
tf.config.set_visible_devices([], 'GPU')


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
  builder = _prepare(dataset, data)
  if split not in builder.info.splits:
    raise UserError(
        f'data set {dataset.name} has no split {split!r}; it has: '
        f'{", ".join(builder.info.splits)}'
    )
  rows = sorted(_read(builder, split))
  if not rows:
    raise UserError(
        f'split {split!r} of data set {dataset.name} is empty: delete '
        f'{builder.data_dir} and prepare it again'
    )
  # Pillow decodes outside Python's global lock, so threads help.
  with concurrent.futures.ThreadPoolExecutor() as pool:
    list(pool.map(lambda row: _check(dataset, *row), rows))
  names, images, labels = zip(*rows, strict=True)
  return Examples(images, labels, names)


def _prepare(dataset: Dataset, data: config.Data):
  """The builder, with its files written."""
  builder = dataset.builder(data)
  if builder.data_path.exists():
    return builder
  tfds.disable_progress_bar()
  options = tfds.download.DownloadConfig(try_download_gcs=False)
  try:
    # TFDS prints a line about sizes that it does not know.
    with contextlib.redirect_stdout(io.StringIO()):
      builder.download_and_prepare(download_config=options)
  except AssertionError as error:
    raise UserError(
        f"data set {dataset.name} can't be prepared: {error} Check that "
        'each split has images'
    ) from error
  except (OSError, tf.errors.OpError) as error:
    # Another process may have prepared the same folder in the meantime.
    builder = dataset.builder(data)
    if not builder.data_path.exists():
      raise UserError(
          f"data set {dataset.name} can't be prepared in "
          f'{builder.data_dir}: {error}; give another folder as --data.prepared'
      ) from error
  return builder


def _read(builder, split: str):
  """Yields name, encoded image and encoded label of each example."""
  encoded = tfds.decode.SkipDecoding()
  stored = builder.as_dataset(
      split=split, decoders={'image': encoded, 'label': encoded}
  )
  for example in stored.as_numpy_iterator():
    yield example['name'].decode(), example['image'], example['label']


def _check(dataset: Dataset, name: str, image: bytes, label: bytes):
  """Refuses an example that training would misread in silence."""
  where = f'data set {dataset.name}, example {name}'
  try:
    size = Image.open(io.BytesIO(image)).size
    mask = Image.open(io.BytesIO(label))
    ids = np.asarray(mask)
  except OSError as error:
    raise UserError(f'{where}: broken file, replace it: {error}') from error
  if mask.mode != 'L':
    # TensorFlow would turn a palette's indices into brightness.
    raise UserError(
        f'{where}: the label is a PNG of mode {mask.mode}; store class ids as '
        '8-bit grey'
    )
  if mask.size != size:
    raise UserError(
        f'{where}: the image has {size[0]}x{size[1]} pixels, the label '
        f'{mask.size[0]}x{mask.size[1]}; they must be equal'
    )
  classes = len(dataset.classes)
  wrong = ids[(ids >= classes) & (ids != VOID)]
  if wrong.size:
    raise UserError(
        f'{where}: the label holds the id {wrong[0]}, but the data set has '
        f'{classes} classes: use 0 to {classes - 1}, or {VOID} for void'
    )
