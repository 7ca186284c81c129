"""Lists of names as people's tools write them -> splits."""

import re
import unicodedata
from pathlib import Path

from adseg_jax.data.dataset import shorten
from adseg_jax.data.originals import IMAGES, Fault
from adseg_jax.data.text import read_lines
from adseg_jax.errors import UserError

UNKNOWN = 'listed names without an image'
IN_TWO = 'names in two splits'
# Split -> what tools call it.
SPLITS = {
    'train': ('train', 'training'),
    'validation': ('validation', 'val', 'valid'),
    'test': ('test', 'testing'),
}
_PLACES = ('.', 'ImageSets/Segmentation', 'ImageSets', 'splits')
# An image's name, its file, or its path from somewhere.
_ENDINGS = (*IMAGES, '.gif')


def split_named(word: str) -> str:
  """The split that a folder or list is named after; '' for none."""
  word = word.casefold()
  return next((split for split, names in SPLITS.items() if word in names), '')


def listed(root: Path, images, by_folder, folders):
  """Splits that lists in the root, or in VOC's place, say.

  Args:
    root: of the data set.
    images: name -> file.
    by_folder: split -> names, as folders say it; lists must agree with it.
    folders: whose names may stand before those of images.

  Returns:
    (split -> names, faults, notes); empty where there are no lists.

  Raises:
    UserError: a list can't be understood, or one is missing.
  """
  lists = _lists(root)
  if not lists:
    return {}, [], []
  if not {'train', 'validation'} <= lists.keys():
    raise UserError(
        f'{root}: has {" and ".join(path.name for path in lists.values())} '
        'only: give train.txt and validation.txt, or no list at all'
    )
  names, faults, seen, notes = {}, [], {}, []
  find = _Finder(images, folders)
  for split, path in lists.items():
    lines, encoding = read_lines(path)
    notes += [f'{path.name} is {encoding}'] if encoding else []
    names[split] = []
    for line in lines:
      name = find(line, path)
      if name is None:
        continue
      if seen.get(name, path) != path:
        faults.append(
            Fault(IN_TWO, name, f'in {seen[name].name} and {path.name}')
        )
      elif name not in images:
        faults.append(Fault(
            UNKNOWN, name, f'{path.name}, line {line.number}, lists it, but '
            'there is no image of that name'
        ))
      if name not in seen:
        names[split].append(name)
      seen[name] = path
  _agree(root, names, by_folder, lists)
  unused = sorted(images.keys() - seen.keys())
  if unused:
    notes.append(f'images that no list names, not used: {shorten(unused)}')
  words = ', '.join(str(path.relative_to(root)) for path in lists.values())
  return names, faults, [f'splits are lists: {words}', *notes]


def _lists(root: Path) -> dict[str, Path]:
  """Split -> its list."""
  found = {}
  for place in _PLACES:
    top = root / place
    for path in sorted(top.iterdir()) if top.is_dir() else ():
      split = split_named(path.stem) if path.suffix == '.txt' else ''
      if split and path.is_file():
        found.setdefault(split, []).append(path)
  for split, paths in found.items():
    if any(read_lines(p)[0] != read_lines(paths[0])[0] for p in paths[1:]):
      raise UserError(
          f'{root}: {" and ".join(str(p.relative_to(root)) for p in paths)} '
          f'both list what is for {split}, and differ: keep one'
      )
  return {split: found[split][0] for split in SPLITS if split in found}


def _agree(root, names, by_folder, lists):
  """Refuses lists that contradict folders named after splits."""
  for folder, members in by_folder.items():
    for split, chosen in names.items():
      strays = set(chosen) & set(members)
      if folder and split != folder and strays:
        raise UserError(
            f'{root}: {lists[split].name} lists {sorted(strays)[0]}, which '
            f'lies in the folder of {folder}: take the list away, or the '
            'folders'
        )


class _Finder:
  """A line of a list -> the name of its image."""

  def __init__(self, images, folders):
    self._images = images
    self._folders = {folder.name.casefold() for folder in folders}
    self._flat = not any('/' in name for name in images)
    self._bare = {}
    for name in images:
      self._bare.setdefault(name.split('/')[-1], []).append(name)

  def __call__(self, line, path):
    """The name; None for a comment.

    Raises:
      UserError: the line has two columns that do not go together.
    """
    whole = self._name(line.text, path, line)
    if whole in self._images:
      return whole
    if line.text.startswith('#'):
      return None
    columns = [
        cell for cell in re.split(r'\s*[\t,;]\s*|\s+', line.text) if cell
    ]
    if len(columns) == 1:
      return whole
    first, second = (self._name(cell, path, line) for cell in columns[:2])
    # Else it is no image, or one whose file's name holds spaces.
    if len(columns) > 2 or first not in self._images:
      return whole
    if first != second:
      raise UserError(
          f'{path}, line {line.number}: {line.text!r}: labels are found by '
          "their images' names: give both the same, or list names alone"
      )
    return first

  def _name(self, text: str, path, line) -> str:
    text = unicodedata.normalize('NFC', text.strip(' "\'')).replace('\\', '/')
    ending = next((s for s in _ENDINGS if text.lower().endswith(s)), '')
    text = re.sub(r'^(\./)+', '', text[:len(text) - len(ending)])
    for name in (text, *self._without_folders(text)):
      split = split_named(name.split('/')[0])
      again = f'{split}/{name.partition("/")[2]}'
      for one in (name, again):
        if one in self._images:
          return one
    # Where images have no folders, those of another machine say nothing.
    bare = text.split('/')[-1] if text.startswith('/') and self._flat else text
    found = self._bare.get(bare, []) if '/' not in bare else []
    if len(found) > 1:
      raise UserError(
          f'{path}, line {line.number}: {text} is {" and ".join(found[:2])}: '
          'give the folder, too'
      )
    return found[0] if found else text

  def _without_folders(self, text: str):
    """The path behind each folder that is one of the data set's."""
    parts = text.split('/')
    for place in range(1, len(parts)):
      if parts[place - 1].casefold() in self._folders:
        yield '/'.join(parts[place:])
