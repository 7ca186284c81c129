"""Where a person's images, labels and lists lie in their folder.

images/ and labels/, under these and other tools' names; splits as folders in
these or above them; or as lists, which come before folders.
"""

import collections
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
  """What a folder holds."""

  images: dict[str, Path]  # by name
  labels: dict[str, Path]
  splits: dict[str, list[str]]  # names; empty where the folder says none
  faults: tuple[Fault, ...]  # what is wrong with files' names and lists
  said: tuple[str, ...]  # what was understood, and left out; a line each


def find_classes(root: Path) -> Path | None:
  """The list of classes: classes.txt, or a tool's; None where there is none.

  Raises:
    UserError: tools have left several that differ.
  """
  if (root / 'classes.txt').exists():
    return root / 'classes.txt'
  tops = [root, *(path for path in _folders(root) if split_named(path.name))]
  found = [
      path for top in tops for path in sorted(top.glob('*'))
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
  places = _places(root)
  if not places:
    return None
  tops = dict.fromkeys(
      root / path.relative_to(root).parts[0]
      for _, *pair in places for path in pair
  )
  images, labels, faults = _files(places)
  folders = {
      '/'.join(path.relative_to(root).parent.parts[:2])
      for path in images.values()
  }
  divided = all(map(_split_of, images))
  if divided:
    _check_one_each(root, (name.partition('/')[0] for name in images))
    images, labels = map(_renamed, (images, labels))
  before = {*_IMAGES, *_LABELS, *(top.name.casefold() for top in tops)}
  splits, wrong, said = listed(root, images, before, divided)
  if not splits and (splits := _whole(root, images)):
    said = [f'splits are folders: {shorten(sorted(folders))}']
  left = _left_out(root, tops, {*images.values(), *labels.values()})
  return Layout(images, labels, splits, (*faults, *wrong), (*said, *left))


def missing(root: Path) -> list[str]:
  """What a folder lacks, for a person."""
  lacking = [] if _named(root, _IMAGES) else ['images']
  labels = _named(root, _LABELS)
  if not any(map(_holds_masks, labels)):
    lacking.append('labels' + ''.join(
        f' ({one.name}/ holds no {", ".join(MASKS)})' for one in labels
    ))
  return lacking + ([] if find_classes(root) else ['classes.txt'])


def _places(root: Path) -> list[tuple[str, Path, Path]]:
  """(Prefix of names, folder of images, folder of labels) of each place."""
  pair = _pair(root)
  above = [
      path for path in _folders(root)
      if split_named(path.name) and (_pair(path) or _beside(path))
  ]
  if pair and above:
    raise UserError(
        f'{root}: has {pair[0].name}/ with {pair[1].name}/, and folders of '
        f'splits as {above[0].name}/: which are meant? Move the others away'
    )
  _check_one_each(root, (top.name for top in above))
  return [('', *pair)] if pair else [
      (f'{split_named(top.name)}/', *(_pair(top) or (top, top)))
      for top in above
  ]


def _check_one_each(root: Path, folders):
  """Two folders of one split, as train/ and training/, are refused."""
  known = {}
  for folder in folders:
    split = split_named(folder)
    if known.setdefault(split, folder) != folder:
      raise UserError(
          f'{root}: {known[split]}/ and {folder}/ are both for {split}: put '
          'their files into one, or move one away'
      )


def _folders(top: Path) -> list[Path]:
  return [
      path for path in sorted(top.glob('*'))
      if path.is_dir() and not path.name.startswith('.')
  ]


def _named(top: Path, words) -> list[Path]:
  """Folders in a folder that have these names, in the order of the names."""
  found = {path.name.casefold(): path for path in _folders(top)}
  return [found[word] for word in words if word in found]


def _pair(top: Path) -> tuple[Path, Path] | None:
  """The folders of images and of labels in a folder."""
  images = _named(top, _IMAGES)
  # YOLO's labels/ holds text, VOC's Annotations/ holds XML.
  labels = [one for one in _named(top, _LABELS) if _holds_masks(one)]
  return (images[0], labels[0]) if images and labels else None


def _holds_masks(folder: Path) -> bool:
  return any(
      name.lower().endswith((*MASKS, *_LOSSY))
      for _, _, names in os.walk(folder, followlinks=True) for name in names
  )


def _beside(top: Path) -> bool:
  """Whether masks lie beside images, as Roboflow exports them."""
  return any(top.glob(f'*{_BESIDE}.png'))


def _files(places):
  """Images and labels by name, and names that two files share."""
  images, labels, faults = {}, {}, []
  for prefix, first, second in places:
    one, wrong = listing(first, IMAGES)
    if first == second:
      names = [name for name in one if name.endswith(_BESIDE)]
      other = {name.removesuffix(_BESIDE): one.pop(name) for name in names}
    else:
      exact, more = listing(second, MASKS)
      # Lossy ones only where there is no other.
      other, wrong = listing(second, _LOSSY)[0] | exact, wrong + more
    images |= {prefix + name: path for name, path in one.items()}
    labels |= {prefix + name: path for name, path in other.items()}
    faults += wrong
  return images, labels, faults


def _split_of(name: str) -> str:
  """The split that a name's first folder is named after; '' for none."""
  top, inner, _ = name.partition('/')
  return split_named(top) if inner else ''


def _renamed(files: dict[str, Path]) -> dict[str, Path]:
  """Names in which `training/a` and `train/a` are the same."""
  return {
      f'{_split_of(name)}/{name.partition("/")[2]}' if _split_of(name)
      else name: path for name, path in files.items()
  }


def _whole(root: Path, images) -> dict[str, list[str]]:
  """Splits that folders say; none where there are none, or `train` alone.

  Raises:
    UserError: they leave open what validates.
  """
  splits = collections.defaultdict(list)
  for name in images:
    splits[_split_of(name)].append(name)
  named = [split for split in SPLITS if split in splits]
  if not named or splits.keys() == {'train'}:
    return {}
  if '' in splits:
    raise UserError(
        f'{root}: has {splits[named[0]][0].split("/")[0]}/, as if folders were '
        f'splits, and {splits[""][0]} beside it: put all pictures into folders '
        'of splits, or list them in train.txt and validation.txt'
    )
  if not {'train', 'validation'} <= splits.keys():
    raise UserError(
        f'{root}: has folders of {" and ".join(named)} only: give one of train '
        'and one of validation, or list the names in train.txt and '
        'validation.txt'
    )
  return splits


def _left_out(root: Path, tops, used) -> list[str]:
  """What lies in the folders and is neither image nor label."""
  left = []
  for top in tops:
    files, odd = walk(top)
    left += odd + [path for path in files if path not in used]
  names = [
      str(path.relative_to(root)) for path in left
      if path.name.casefold() not in _CLASSES
  ]
  return [f'left out: {shorten(names)}'] if names else []
