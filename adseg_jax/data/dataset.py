"""What the rest of the package needs to know about a data set."""

import dataclasses
import importlib
from collections.abc import Callable

from adseg_jax.errors import UserError

VOID = 255

# Name on the command line -> module that holds its `DATASET`. A module is
# imported when its data set is asked for: TensorFlow is slow to import.
MODULES = {'earth': 'adseg_jax.data.earth'}


@dataclasses.dataclass(frozen=True)
class Dataset:
  """A data set's classes and where its examples come from.

  Attributes:
    name: as on the command line.
    classes: name of each class; the index is the label.
    palette: red, green and blue of each class, 0 to 255.
    builder: config.Data -> a TFDS builder, whose features are 'image'
      (uint8 [H,W,3], a JPEG or PNG file), 'label' (uint8 [H,W,1], an 8-bit
      grey PNG file of class ids, 255 is void) and 'name' (text). It raises
      UserError where files are missing. `data.prepared` is its data_dir.
    train: split to train on.
    validation: split to evaluate during training.
    overview: one large image of the whole data set, where there is one: a
      function that returns (image uint8 [H,W,3], label uint8 [H,W], caption).
  """

  name: str
  classes: tuple[str, ...]
  palette: tuple[tuple[int, int, int], ...]
  builder: Callable
  train: str = 'train'
  validation: str = 'validation'
  overview: Callable | None = None


def find(name: str) -> Dataset:
  """The data set of that name.

  Raises:
    UserError: no data set has that name.
  """
  if name not in MODULES:
    raise UserError(
        f'--data.name {name}: no such data set; known: {", ".join(MODULES)}'
    )
  return importlib.import_module(MODULES[name]).DATASET
