"""Lists of names as people's tools write them -> splits."""

import collections
import re
from pathlib import Path

from adseg_jax.data.dataset import shorten
from adseg_jax.data.originals import IMAGES, Fault, stem
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


def split_named(word: str) -> str:
  """The split that a folder or list is named after; '' for none."""
  word = word.casefold()
  return next((split for split, names in SPLITS.items() if word in names), '')


def listed(root: Path, images, folders, divided: bool):
  """(Split -> names, faults, what to say), as lists say; empty without lists.

  Args:
    root: where they lie, there or in VOC's place.
    images: name -> file.
    folders: what may stand before the names of images, in lower case.
    divided: whether all names begin with a split; lists must agree with it.

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
  words = ', '.join(str(path.relative_to(root)) for path in lists.values())
  splits, faults, said = {}, [], [f'splits are lists: {words}']
  finder, seen = _Finder(images, folders), {}
  for split, path in lists.items():
    lines, encoding = read_lines(path)
    said += [f'{path.name} is {encoding}'] if encoding else []
    splits[split] = []
    for line in lines:
      name, where = finder.find(line, path), f'{path.name}, line {line.number}'
      if name is None:
        continue
      if seen.get(name, path) != path:
        faults.append(
            Fault(IN_TWO, name, f'in {seen[name].name} and {path.name}')
        )
      elif name not in images:
        faults.append(Fault(
            UNKNOWN, name,
            f'{where}, lists it, but there is no image of that name'
        ))
      elif divided and not name.startswith(f'{split}/'):
        raise UserError(
            f'{root}: {where}: {name} lies in a folder of another split: take '
            'the lists away, or the folders'
        )
      if name not in seen:
        splits[split].append(name)
      seen[name] = path
  unused = sorted(images.keys() - seen.keys())
  if unused:
    said.append(f'images that no list names, not used: {shorten(unused)}')
  return splits, faults, said


def _lists(root: Path) -> dict[str, Path]:
  """Split -> its list."""
  found = collections.defaultdict(list)
  for top in (root / place for place in _PLACES):
    for path in sorted(top.glob('*.txt')):
      if path.is_file():
        found[split_named(path.stem)].append(path)
  found = {split: found[split] for split in SPLITS if split in found}
  for split, paths in found.items():
    if any(read_lines(p)[0] != read_lines(paths[0])[0] for p in paths[1:]):
      raise UserError(
          f'{root}: {" and ".join(str(p.relative_to(root)) for p in paths)} '
          f'both list what is for {split}, and differ: keep one'
      )
  return {split: paths[0] for split, paths in found.items()}


class _Finder:
  """A line of a list -> the name of its image."""

  def __init__(self, images, folders):
    self._images, self._folders = images, folders
    self._flat = not any('/' in name for name in images)
    self._bare = collections.defaultdict(list)
    for name in images:
      self._bare[name.rpartition('/')[2]].append(name)

  def find(self, line, path):
    """The name, also where no image has it; None for a comment.

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
    # Else it is no image, or one whose file's name holds spaces.
    if len(columns) == 2:
      first, second = (self._name(cell, path, line) for cell in columns)
      if first in self._images and first != second:
        raise UserError(
            f'{path}, line {line.number}: {line.text!r}: labels are found by '
            "their images' names: give both the same, or list names alone"
        )
      if first in self._images:
        return first
    return whole

  def _name(self, text: str, path, line) -> str:
    text = text.strip(' "\'').replace('\\', '/')
    text = re.sub(r'^(\./)+', '', stem(text, (*IMAGES, '.gif')) or text)
    parts = text.split('/')
    for place in range(len(parts)):
      # Whole, or behind a folder of the data set.
      if place and parts[place - 1].casefold() not in self._folders:
        continue
      top, inner = parts[place], '/'.join(parts[place + 1:])
      for name in ('/'.join(parts[place:]), f'{split_named(top)}/{inner}'):
        if name in self._images:
          return name
    # Where images have no folders, those of another machine say nothing.
    bare = parts[-1] if text.startswith('/') and self._flat else text
    found = self._bare.get(bare, [])
    if len(found) > 1:
      raise UserError(
          f'{path}, line {line.number}: {text} is {" and ".join(found[:2])}: '
          'give the folder, too'
      )
    return found[0] if found else text
