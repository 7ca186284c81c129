"""Mutations of valid folders end in the right frequencies, or in one line."""

import collections
import unicodedata

import layouts
import numpy as np
import pytest
from PIL import Image

from adseg_jax.config import Data
from adseg_jax.data.check import check
from adseg_jax.data.dataset import find
from adseg_jax.errors import UserError

SIZE = 6, 8
NAMES = 'sky [x]', 'Straße', 'void', 'car, red'
# Black and white are among them, so that files of these alone are grey.
COLOURS = np.array(
    [[0, 0, 0], [128, 64, 128], [9, 9, 9], [255, 255, 255]], np.uint8
)
PICTURES = 'ä0', 'b 1', 'day/c2', 'd3'


class Mine:
  """A folder: what its labels mean, and how each part is written."""

  def __init__(self, rng, root):
    self.rng, self.root, self.coloured = rng, root, bool(rng.integers(2))
    self.ids = {
        # At least three of the four lines in each, but for the last.
        name: rng.permutation([0, 1, 2, 3] * 12).reshape(SIZE)
        if name != 'd3' else rng.choice([0, 3], SIZE) for name in PICTURES
    }
    self.labels = {
        name: (COLOURS[ids] if self.coloured else ids.astype(np.uint8))
        for name, ids in self.ids.items()
    }
    self.pictures = {
        name: Image.fromarray(x) for name, x in self.labels.items()
    }
    self.endings = dict.fromkeys(PICTURES, '.png')
    self.forms = dict.fromkeys(PICTURES, lambda name: name)
    self.folders = 'images', 'labels'
    colours = [' '.join(map(str, c)) for c in COLOURS] if self.coloured else (
        [''] * 4
    )
    self.lines = [
        f'{name} {colour}'.strip()
        for name, colour in zip(NAMES, colours, strict=True)
    ]
    self.end, self.encoding, self.after = '\n', 'utf-8', []
    self.split = {}

  def write(self):
    images, labels = (self.root / folder for folder in self.folders)
    for name in PICTURES:
      folder, _, bare = name.rpartition('/')
      stem = f'{folder}/{self.forms[name](bare)}' if folder else (
          self.forms[name](bare)
      )
      top = self.split.get(name, '')
      layouts.save(layouts.photo(1, SIZE), images / top / f'{name}.png')
      target = labels / top / f'{stem}{self.endings[name]}'
      try:
        layouts.save(self.pictures[name], target)
      except OSError:  # a mode that such files can't hold
        layouts.save(self.pictures[name], target.with_suffix('.tif'))
        target.unlink(missing_ok=True)
    text = self.end.join(self.lines) + self.end
    (self.root / 'classes.txt').write_bytes(text.encode(self.encoding))
    for mutate in self.after:
      mutate()

  def truth(self):
    count = np.bincount(np.concatenate(
        [ids.ravel() for ids in self.ids.values()]
    ), minlength=4)
    return {name: int(n) for name, n in zip(NAMES, count, strict=True) if n}


def stored(mine, name):
  """A label in another mode that holds the same."""
  values = mine.labels[name]
  greys = values if values.ndim == 2 else values[..., 0]
  is_grey = values.ndim == 2 or (values == greys[..., None]).all()
  rgb = values if values.ndim == 3 else np.dstack([values] * 3)
  ids = mine.ids[name].astype(np.uint8)
  order = mine.rng.permutation(4) if mine.coloured else np.arange(4)
  palette = Image.fromarray(np.argsort(order)[ids].astype(np.uint8), 'L')
  palette.putpalette(COLOURS[order].tobytes())
  forms = [
      Image.fromarray(rgb), palette,
      Image.fromarray(np.dstack([rgb, np.full(SIZE, 255, np.uint8)])),
  ]
  if is_grey:
    forms += [
        Image.fromarray(greys), Image.fromarray(greys.astype(np.int32)),
        Image.fromarray(greys.astype(np.uint16) * (
            257 if mine.coloured else 1
        )),
        Image.fromarray(np.dstack([greys, np.full(SIZE, 255, np.uint8)])),
        Image.fromarray(greys).convert('P'),
    ]
    if mine.coloured and set(np.unique(greys)) <= {0, 255}:
      forms.append(Image.fromarray(greys > 0))
  return forms[mine.rng.integers(len(forms))]


def mode(mine, name):
  mine.pictures[name] = stored(mine, name)


def all_modes(mine, name):
  for one in PICTURES:
    mine.pictures[one] = stored(mine, one)


def other_way(mine, name):
  """Ids among colours, or colours among ids."""
  if name != 'd3':
    ids = mine.ids[name]
    mine.pictures[name] = Image.fromarray(
        ids.astype(np.uint8) if mine.coloured else COLOURS[ids]
    )


def file(mine, name):
  mine.endings[name] = str(mine.rng.choice(
      ['.PNG', '.tif', '.TIFF', '.bmp', '.gif', '.jpg', '.webp']
  ))
  if mine.endings[name] in ('.jpg', '.webp', '.bmp'):
    mine.pictures[name] = mine.pictures[name].convert('RGB')
  if mine.endings[name] == '.gif':
    mine.pictures[name] = Image.fromarray(mine.labels[name])


def names(mine, name):
  mine.forms[name] = [
      lambda x: unicodedata.normalize('NFD', x), str.upper,
      lambda x: f'{x} (1)', lambda x: f'.{x}',
  ][mine.rng.integers(4)]


def size(mine, name):
  mine.pictures[name] = mine.pictures[name].resize(
      tuple(mine.rng.integers(4, 9, 2)), Image.Resampling.NEAREST
  )


def encoding(mine, name):
  mine.encoding = str(mine.rng.choice(
      ['utf-8-sig', 'utf-16', 'utf-16-le', 'utf-32', 'latin-1', 'cp1252']
  ))
  mine.end = str(mine.rng.choice(['\n', '\r\n', '\r', '\n\n', ' \n']))


def table(mine, name):
  rows = list(enumerate(zip(NAMES, COLOURS.tolist(), strict=True)))
  mine.lines = [
      [f'"{n}" {r} {g} {b}' for _, (n, (r, g, b)) in rows],
      ['# l:rgb', *[f'{n}:{r},{g},{b}::' for _, (n, (r, g, b)) in rows]],
      [f'{n} #{r:02x}{g:02x}{b:02x}' for _, (n, (r, g, b)) in rows],
      ['name,r,g,b', *[f'{n},{r},{g},{b}' for _, (n, (r, g, b)) in rows]],
      ['name', *mine.lines],
  ][mine.rng.integers(5)] if mine.coloured else [
      [f'{i} {n}' for i, (n, _) in rows], ['# mine', *mine.lines],
      ['Pixel Value, Class', *[f'{i}, {n}' for i, (n, _) in rows]],
      [f'{i}: {n}' for i, (n, _) in rows[::-1]],
      ['classes', *mine.lines], [n.replace('void', 'VOID') for n in mine.lines],
  ][mine.rng.integers(6)]


def folders(mine, name):
  mine.folders = [
      ('JPEGImages', 'SegmentationClass'), ('images', 'annotations'),
      ('imgs', 'masks'), ('Images', 'Labels'), ('pictures', 'labels'),
  ][mine.rng.integers(5)]


def splits(mine, name):
  tops = ['train', 'val', 'test'] if mine.rng.integers(2) else (
      ['training', 'validation', '']
  )
  mine.split = dict(zip(PICTURES, mine.rng.choice(tops, 4), strict=True))


def lists(mine, name):
  rows = [
      f'images/{one}.png' if mine.rng.integers(2) else one for one in PICTURES
  ]
  code = str(mine.rng.choice(['utf-8', 'utf-16', 'latin-1']))
  cut = mine.rng.integers(0, 4)

  def write():
    for one, part in ('train.txt', rows[:cut]), ('val.txt', rows[cut:]):
      (mine.root / one).write_bytes('\r\n'.join(part).encode(code))

  mine.after.append(write)


def litter(mine, name):
  def write():
    for one in 'Thumbs.db', '._a.png', '__MACOSX/a.png', '.x/a.png', 'a.txt':
      for top in mine.folders:
        (mine.root / top / one).parent.mkdir(exist_ok=True)
        (mine.root / top / one).write_bytes(b'no')
    (mine.root / mine.folders[0] / 'gone.png').symlink_to('nowhere')

  mine.after.append(write)


def turned(mine, name):
  """As cameras write it: of a quarter turn the sizes differ."""
  exif = Image.Exif()
  exif[0x0112] = int(mine.rng.choice([3, 6]))

  def write():
    top = mine.root / mine.folders[0] / mine.split.get(name, '')
    layouts.photo(2, SIZE).save(top / f'{name}.png', exif=exif)

  mine.after.append(write)


def broken(mine, name):
  def write():
    paths = sorted(
        path for top in mine.folders
        for path in (mine.root / top).rglob('*') if path.is_file()
    )
    path = paths[mine.rng.integers(len(paths))]
    content = path.read_bytes()
    path.write_bytes(content[:mine.rng.integers(len(content))])

  mine.after.append(write)


MUTATIONS = [
    mode, mode, all_modes, other_way, file, names, size, encoding, encoding,
    table, table, folders, splits, lists, litter, turned, broken,
]


def outcome(root):
  """Class -> pixels as the check says; a line where it refuses."""
  data = Data(name='folder', root=str(root), held_out=0.5)
  try:
    dataset = find(data)
    found = check(dataset, data)
  except UserError as error:
    return str(error)
  if found.faults:
    return '; '.join(': '.join(fault) for fault in found.faults)
  assert found.said and not any('\n' in line for line in found.said)
  count = collections.Counter()
  for tally in found.tallies.values():
    count.update(dict(zip(dataset.classes, map(int, tally.pixels),
                          strict=True)))
    count['void'] += tally.void
  return {name: n for name, n in count.items() if n}


@pytest.mark.parametrize('seed', range(10))
def test_right_or_refused(tmp_path, seed):
  read = 0
  for number in range(50):
    rng = np.random.default_rng([seed, number])
    mine = Mine(rng, tmp_path / f'{number}')
    done = [MUTATIONS[i] for i in rng.integers(len(MUTATIONS), size=3)]
    done = done[:rng.integers(1, 4)]
    for mutate in done:
      mutate(mine, PICTURES[rng.integers(len(PICTURES))])
    mine.write()
    said = outcome(mine.root)
    story = number, mine.coloured, [mutate.__name__ for mutate in done], said
    if isinstance(said, str):
      assert said and '\n' not in said, story
    else:
      assert said == mine.truth(), story
      read += 1
  assert 15 < read < 45  # most are sound, some are not
