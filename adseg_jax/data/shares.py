"""Which training images keep their labels, and where others without lie."""

import hashlib
import math
from pathlib import Path

from adseg_jax.config import Data
from adseg_jax.data.dataset import limited, shorten
from adseg_jax.data.originals import IMAGES, listing
from adseg_jax.errors import UserError


def kept(names, labelled: float, seed: int) -> list[int]:
  """Places of the training images that keep their labels, in order.

  They come first by a hash of seed and name: a smaller share's are among a
  larger one's. `labelled` is a share or, above 1, a number of images.

  Raises:
    UserError: it is none of them, or more than there are.
  """
  count = len(names)
  wanted = labelled if labelled > 1 else math.floor(labelled * count + 0.5)
  if not 1 <= wanted <= count:
    raise UserError(
        f'--data.labelled is {labelled:g}: of {count} training images, that '
        f'is {"none" if wanted < 1 else "more than all"}: give '
        f'{1 / count:.2g} to 1, or 2 to {count}'
    )
  ranked = sorted(range(count), key=lambda place: hashlib.sha256(
      f'{seed} {names[place]}'.encode()
  ).digest())
  return sorted(ranked[:int(wanted)])


def check(data: Data, training: str):
  """Refuses places of images without labels before anything is loaded.

  Args:
    data: its `unlabelled` and `unlabelled_split`.
    training: the split that has labels.

  Raises:
    UserError: the folder is none that `pictures` takes, or the split is the
      training one, whose images would come twice.
  """
  pictures(data.unlabelled)
  if data.unlabelled_split == training:
    raise UserError(
        f'--data.unlabelled-split {training}: that is the training split: give '
        'another, or --data.labelled for images of it that lose their labels'
    )


def pictures(folder: str, limit: int = 0) -> dict[str, Path]:
  """Name -> file of the images below `data.unlabelled`; none where it is ''.

  At most `limit` of them, evenly spread; 0: all.

  Raises:
    UserError: it is no folder, holds no images, or two of one name.
  """
  if not folder:
    return {}
  root = Path(folder).expanduser()
  if not root.is_dir():
    raise UserError(
        f'--data.unlabelled {folder}: no such folder: give one of images'
    )
  found, faults = listing(root, IMAGES)
  if faults:
    raise UserError(
        f'--data.unlabelled {folder}: names that two files share: '
        f'{shorten(fault.where for fault in faults)}: rename one of them'
    )
  if not found:
    raise UserError(
        f'--data.unlabelled {folder}: holds no image ({", ".join(IMAGES)}): '
        'give a folder that does, or leave it out'
    )
  return dict(limited(sorted(found.items()), limit))
