"""Where a person's images, labels and lists lie in their folder.

images/ and labels/, under these and other tools' names; splits as folders in
these or above them; or as lists, which come before folders.
"""

import os
from pathlib import Path
from typing import NamedTuple

from adseg_jax.data.dataset import shorten
from adseg_jax.data.originals import IMAGES, Fault, listing, walk
from adseg_jax.data.splits import SPLITS, listed, split_named
from adseg_jax.errors import UserError

MASKS = ('.png', '.tif', '.tiff', '.bmp', '.gif')
# Listed to be refused by name: their colours are not exact.
_LOSSY = ('.jpg', '.jpeg', '.webp')
# In the order in which they are looked for.
_IMAGES = ('images', 'image', 'imgs', 'img', 'jpegimages')
_LABELS = (
    'labels', 'label', 'masks', 'mask', 'annotations', 'segmentationclass',
    'segmentationclasspng',
)
_CLASSES = (
    'labelmap.txt', 'labels.txt', 'class_names.txt', '_classes.csv',
    'classes.csv', 'class_dict.csv', 'label_colors.txt',
)
_BESIDE = '_mask'  # how Roboflow ends the names of masks


class Layout(NamedTuple):
  """What a folder holds.

  Attributes:
    images: name -> file.
    labels: name -> file.
    splits: split -> names; empty where the folder has none.
    faults: what is wrong with the lists.
    said: what was understood, and left out; a line each.
  """

  images: dict[str, Path]
  labels: dict[str, Path]
  splits: dict[str, list[str]]
  faults: tuple[Fault, ...]
  said: tuple[str, ...]


def find_classes(root: Path) -> Path | None:
  """The list of classes: classes.txt, or a tool's; None where there is none.

  Raises:
    UserError: tools have left several that differ.
  """
  if (root / 'classes.txt').exists():
    return root / 'classes.txt'
  tops = [root, *(path for path in _folders(root) if split_named(path.name))]
  found = [
      path for top in tops if top.is_dir() for path in sorted(top.iterdir())
      if path.name.casefold() in ('classes.txt', *_CLASSES)
  ]
  other = [p for p in found if p.read_bytes() != found[0].read_bytes()]
  if other:
    raise UserError(
        f'{root}: {found[0].relative_to(root)} and '
        f'{other[0].relative_to(root)} differ: which names the classes? Save '
        'it as classes.txt'
    )
  return found[0] if found else None


def find_layout(root: Path) -> Layout | None:
  """What lies where; None where images or labels are missing.

  Raises:
    UserError: it is not clear which files are meant, or a list is wrong.
  """
  pair = pair_in(root)
  above = {
      path: split_named(path.name) for path in _folders(root)
      if split_named(path.name) and (pair_in(path) or _beside(path))
  }
  if pair and above:
    raise UserError(
        f'{root}: has {pair[0].name}/ with {pair[1].name}/, and folders of '
        f'splits as {next(iter(above)).name}/: which are meant? Move the '
        'others away'
    )
  if not pair and not above:
    return None
  found = _in_pair(*pair) if pair else _in_splits(above)
  images, labels, by_folder, faults, words = found
  folders = [root / part for part in (*_IMAGES, *_LABELS)]
  lists, wrong, more = listed(root, images, by_folder, [
      *(pair or []), *above, *folders
  ])
  if not lists and by_folder:
    _whole(root, by_folder)
    more = [f'splits are folders: {", ".join(words)}'] if by_folder else []
  left = _left_out(root, pair or [*above], images, labels)
  return Layout(
      images, labels, lists or by_folder, (*faults, *wrong), (*more, *left)
  )


def pair_in(top: Path) -> tuple[Path, Path] | None:
  """The folders of images and of labels in a folder."""
  names = {path.name.casefold(): path for path in _folders(top)}
  images = [names[n] for n in _IMAGES if n in names]
  labels = [names[n] for n in _LABELS if n in names]
  # YOLO's labels/ holds text, VOC's Annotations/ holds XML.
  labels = [one for one in labels if _has(one, (*MASKS, *_LOSSY))]
  return (images[0], labels[0]) if images and labels else None


def missing(root: Path) -> list[str]:
  """What a folder lacks, for a person."""
  names = {path.name.casefold() for path in _folders(root)}
  lacking = [] if names & set(_IMAGES) else ['images']
  labels = [path for path in _folders(root) if path.name.casefold() in _LABELS]
  if not any(_has(one, (*MASKS, *_LOSSY)) for one in labels):
    lacking.append('labels' + ''.join(
        f' ({one.name}/ holds no {", ".join(MASKS)})' for one in labels
    ))
  return lacking + ([] if find_classes(root) else ['classes.txt'])


def _folders(top: Path) -> list[Path]:
  if not top.is_dir():
    return []
  return [
      path for path in sorted(top.iterdir())
      if path.is_dir() and not path.name.startswith('.')
  ]


def _has(folder: Path, suffixes) -> bool:
  return any(
      name.lower().endswith(tuple(suffixes))
      for _, _, names in os.walk(folder, followlinks=True) for name in names
  )


def _beside(top: Path) -> bool:
  """Whether masks lie beside images, as Roboflow exports them."""
  return any(top.glob(f'*{_BESIDE}.png'))


def _masks(folder: Path):
  """Labels by name; lossy ones only where there is no other."""
  exact, faults = listing(folder, MASKS)
  return listing(folder, _LOSSY)[0] | exact, faults


def _in_pair(first: Path, second: Path):
  """Images and labels of two folders, in which there may be splits."""
  images, faults = listing(first, IMAGES)
  labels, more = _masks(second)
  tops = {name.split('/')[0] for name in images if '/' in name}
  named = sorted(top for top in tops if split_named(top))
  outside = [n for n in images if not split_named(n.split('/')[0])
             or '/' not in n]
  if not named or outside:
    # A split's folder beside others: only a list can tell; see `listed`.
    splits = {'': [*named, *outside[:1]]} if named else {}
    return images, labels, splits, faults + more, ()
  images, labels = _by_split(images), _by_split(labels)
  return images, labels, _splits(images), faults + more, tuple(
      f'{first.name}/{top}' for top in named
  )


def _by_split(files: dict[str, Path]) -> dict[str, Path]:
  """Names in which `training/a` and `train/a` are the same."""
  found = {}
  for name, path in files.items():
    top, _, rest = name.partition('/')
    split = split_named(top) if rest else ''
    found[f'{split}/{rest}' if split else name] = path
  return found


def _splits(images) -> dict[str, list[str]]:
  splits = {}
  for name in images:
    splits.setdefault(name.split('/')[0], []).append(name)
  return splits


def _in_splits(above: dict[Path, str]):
  """Images and labels in a folder for each split."""
  images, labels, faults = {}, {}, []
  for top, split in above.items():
    pair = pair_in(top)
    if pair:
      one, wrong = listing(pair[0], IMAGES)
      other, more = _masks(pair[1])
      faults += wrong + more
    else:
      files, wrong = listing(top, IMAGES)
      faults += wrong
      other = {
          name[:-len(_BESIDE)]: path for name, path in files.items()
          if name.endswith(_BESIDE)
      }
      one = {n: p for n, p in files.items() if not n.endswith(_BESIDE)}
    images |= {f'{split}/{name}': path for name, path in one.items()}
    labels |= {f'{split}/{name}': path for name, path in other.items()}
  words = tuple(f'{top.name}/' for top in above)
  return images, labels, _splits(images), faults, words


def _whole(root, splits):
  """Refuses folders of splits that leave open what validates."""
  if '' in splits:
    *named, outside = splits.pop('')
    raise UserError(
        f'{root}: has {named[0]}/, as if folders were splits, and {outside} '
        'beside it: put all pictures into folders of splits, or list them in '
        'train.txt and validation.txt'
    )
  if splits.keys() == {'train'}:
    splits.clear()
  elif splits and not {'train', 'validation'} <= splits.keys():
    there = ' and '.join(split for split in SPLITS if split in splits)
    raise UserError(
        f'{root}: has folders of {there} only: give one of train and one of '
        'validation, or list the names in train.txt and validation.txt'
    )


def _left_out(root, tops, images, labels) -> list[str]:
  """What lies in the folders and is neither image nor label."""
  used = {*images.values(), *labels.values()}
  left = []
  for top in tops:
    files, odd = walk(top)
    left += odd + [path for path in files if path not in used]
  names = [str(path.relative_to(root)) for path in left
           if path.name.casefold() not in _CLASSES]
  return [f'left out: {shorten(names)}'] if names else []
