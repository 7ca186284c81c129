"""The original files of a data set: where they are, and which go together."""

import dataclasses
import hashlib
import os
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from adseg_jax import config
from adseg_jax.data.dataset import Source, limited, shorten
from adseg_jax.data.labels import Label
from adseg_jax.data.threads import in_threads
from adseg_jax.errors import UserError

ROOT_VARIABLE = 'ADSEG_DATA'
IMAGES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')

# Left by Windows and macOS among files, or in archives.
_LITTER = ('Thumbs.db', 'desktop.ini', '__MACOSX')

NO_LABEL = 'images without a label'
NO_IMAGE = 'labels without an image'
TWICE = 'names that two files share'
EMPTY = 'splits without an example'


class Fault(NamedTuple):
  """Something that makes a data set unfit for training."""

  kind: str  # the heading that it is listed under
  where: str  # the file or example
  detail: str = ''  # what is wrong, where the heading does not say it


class Record(NamedTuple):
  """The files of one example."""

  name: str
  image: Path
  label: Path


@dataclasses.dataclass(frozen=True)
class Originals:
  """The files of a data set, listed but not read."""

  root: Path  # the folder that all are in
  splits: Mapping[str, tuple[Record, ...]]
  read_label: Callable[[Path], Label]  # raises BadFile
  faults: tuple[Fault, ...] = ()  # what is wrong with the list
  options: str = ''  # what else decides what is prepared from the files
  # Files that decide how labels are read, beside those of the examples.
  deciding: tuple[Path, ...] = ()
  # Says how the files are understood, a line each.
  said: Callable[[], tuple[str, ...]] = tuple

  def wrong(self) -> tuple[Fault, ...]:
    """What is wrong with the list, empty splits as well."""
    empty = (split for split in self.splits if not self.splits[split])
    return (*self.faults, *(Fault(EMPTY, split) for split in empty))

  def digest(self) -> str:
    """12 hexadecimal digits that change with the list, a file or an option.

    Times and places of files do not count, nor do names of folders above.
    """
    lines = [
        (split, record.name, path)
        for split, records in self.splits.items() for record in records
        for path in (record.image, record.label)
    ]
    known = {path for _, _, path in lines}
    lines += [('', '', path) for path in self.deciding if path not in known]
    digest = hashlib.sha256(self.options.encode())
    contents = in_threads(_content, [path for _, _, path in lines])
    for (split, name, path), content in zip(lines, contents, strict=True):
      where = path.relative_to(self.root).as_posix()
      digest.update(repr((split, name, where, content)).encode())
    return digest.hexdigest()[:12]

  def limited(self, limit: int) -> 'Originals':
    """At most `limit` examples of each split; 0: all of them."""
    return dataclasses.replace(self, splits={
        split: limited(records, limit)
        for split, records in self.splits.items()
    })


def _content(path: Path) -> str:
  try:
    with path.open('rb') as file:
      return hashlib.file_digest(file, 'sha256').hexdigest()
  except OSError as error:
    _unreadable(error)


def _unreadable(error: OSError):
  raise UserError(
      f'{error.filename}: cannot be read ({error.strerror}): make it readable, '
      'or move it away'
  ) from error


def refuse(dataset: str, faults):
  """Raises the first kind of fault as a UserError, if there is any."""
  if not faults:
    return
  kind, where, detail = faults[0]
  same = [fault for fault in faults if fault.kind == kind]
  if detail and len(same) == 1:
    text = f'data set {dataset}, {where}: {detail}'
  else:
    names = shorten(fault.where for fault in same)
    text = f'data set {dataset}: {kind} ({len(same)}): {names}'
  raise UserError(f'{text}; `adseg data check {dataset}` lists all faults')


def find_root(
    data: config.Data, name: str, source: Source, needed, folders=('.',)
) -> Path:
  """The one of these folders, below the given root, that has what is needed.

  Args:
    data: for the root.
    name: the data set's.
    source: what the message says where something is missing.
    needed: files and folders that must be there.
    folders: where to look.

  Raises:
    UserError: no root was given, or something is missing there.
  """
  advice = f'expected there: {source.layout}'
  if source.homepage:
    advice += f'; get it from {source.homepage} (licence: {source.licence})'
  given = given_root(data)
  if given is None:
    raise UserError(
        f'data set {name} needs its original files: give their folder as '
        f'--data.root or in {ROOT_VARIABLE}; {advice}'
    )
  roots = [given / folder for folder in folders]
  missing = [
      [part for part in needed if not (root / part).exists()] for root in roots
  ]
  least, root = min(zip(missing, roots, strict=True), key=lambda x: len(x[0]))
  if least:
    raise UserError(
        f'data set {name}: missing in {root}: {shorten(least, 9)}; give their '
        f'folder as --data.root; {advice}'
    )
  return root


def given_root(data: config.Data) -> Path | None:
  """`data.root`, else the environment's ADSEG_DATA; None without either."""
  given = data.root or os.environ.get(ROOT_VARIABLE)
  # Without a home, `~` stays, and is told as missing.
  return Path(os.path.expanduser(given)) if given else None


def walk(folder: Path) -> tuple[list[Path], list[Path]]:
  """Files below a folder in order, and what is no person's file.

  Links to folders are followed, each folder once. Hidden files and folders,
  what systems leave behind and links to nothing are in the second list.

  Raises:
    UserError: a folder can't be read.
  """
  files, odd, seen = [], [], set()
  for top, folders, names in os.walk(
      folder, onerror=_unreadable, followlinks=True
  ):
    here = Path(top)
    place = here.resolve()
    if place in seen:
      folders.clear()
      continue
    seen.add(place)
    for name in sorted([*folders, *names]):
      path = here / name
      if name.startswith('.') or name in _LITTER or not path.exists():
        odd.append(path)
        if name in folders:
          folders.remove(name)
      elif name not in folders:
        files.append(path)
    folders.sort()
  return sorted(files), sorted(odd)


def stem(name: str, suffixes) -> str | None:
  """A name without its suffix; None where it has none of these.

  Letters that a Mac takes apart are joined.
  """
  suffix = next((s for s in suffixes if name.lower().endswith(s)), None)
  return suffix and unicodedata.normalize('NFC', name[:-len(suffix)])


def listing(folder: Path, suffixes) -> tuple[dict[str, Path], list[Fault]]:
  """Files below a folder by the stems of their names, and shared names."""
  found, faults = {}, []
  for path in walk(folder)[0]:
    name = stem(path.relative_to(folder).as_posix(), suffixes)
    if name is None:
      continue
    if name in found:
      faults.append(Fault(TWICE, f'{found[name]} and {path.name}'))
    found[name] = path
  return found, faults


def pair(
    images: dict[str, Path], labels: dict[str, Path], root: Path
) -> tuple[tuple[Record, ...], list[Fault]]:
  """Examples from images and labels of equal names, and those left over."""
  faults = [
      Fault(kind, str(one[name].relative_to(root)))
      for kind, one, other in (
          (NO_LABEL, images, labels), (NO_IMAGE, labels, images)
      )
      for name in sorted(one.keys() - other.keys())
  ]
  records = tuple(
      Record(name, images[name], labels[name])
      for name in sorted(images.keys() & labels.keys())
  )
  return records, faults
