"""Folders in every form of docs/own_data_forms.md.

What is read means the same in all: the classes sky and road, and labels of
TRUTH. Its colours are black, white and purple, for void.
"""

import itertools
import unicodedata

import layouts
import numpy as np
from PIL import Image

TRUTH = layouts.ids([0, 1, 255])
PLACES = layouts.ids([0, 1, 2])  # lines of the list
COLOURS = np.array([[0, 0, 0], [255, 255, 255], [128, 64, 128]], np.uint8)
GREYS = np.array([[0, 0, 0], [127, 127, 127], [255, 255, 255]], np.uint8)
IDS = PLACES.astype(np.uint8)
PLAIN = 'sky\nroad\nvoid\n'


def table(colours, names=('sky', 'road', 'void')):
  return ''.join(
      f'{name} {" ".join(map(str, colour))}\n'
      for name, colour in zip(names, colours, strict=True)
  )


def opaque(array):
  return np.dstack([array, np.full(PLACES.shape, 255, np.uint8)])


def palette(indices, colours):
  picture = Image.fromarray(np.asarray(indices, np.uint8), 'L')
  picture.putpalette(np.asarray(colours, np.uint8).tobytes())
  return picture


def make(root, classes=PLAIN, label=IDS, others=None, ending='.png', count=4):
  """A folder; `others` are the labels after the first."""
  for index in range(count):
    picture = label if index == 0 or others is None else others
    if not isinstance(picture, Image.Image):
      picture = Image.fromarray(picture)
    layouts.save(layouts.photo(index), root / f'images/n{index}.png')
    layouts.save(picture, root / f'labels/n{index}{ending}')
  write(root, 'classes.txt', classes)


def write(root, name, text):
  path = root / name
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(text if isinstance(text, bytes) else text.encode())


def labels(*arguments, **options):
  return lambda root: make(root, *arguments, **options)


def classes(text, name='classes.txt', **options):
  def form(root):
    make(root, **options)
    (root / 'classes.txt').unlink()
    write(root, name, text)

  return form


def moved(moves, lists=None, **options):
  """The folder after its parts were moved, with lists of names."""
  def form(root):
    make(root, **options)
    for old, new in moves.items():
      (root / new).parent.mkdir(parents=True, exist_ok=True)
      (root / old).rename(root / new)
    for name, text in (lists or {}).items():
      write(root, name, text)

  return form


def spread(image, label):
  """Moves of pictures to places that hold {split} and {name}."""
  return {
      f'{kind}/n{index}.png': place.format(split=split, name=f'n{index}')
      for index, split in enumerate(['first', 'first', 'second', 'second'])
      for kind, place in (('images', image), ('labels', label))
  }


def in_splits(image, label, names, **options):
  moves = {
      old: new.replace('first', names[0]).replace('second', names[1])
      for old, new in spread(image, label).items()
  }
  return moved(moves, **options)


def predicted(root):
  """Labels of classes in the order road, sky; void is none of them."""
  from PIL.PngImagePlugin import PngInfo

  from adseg_jax.data.classes import to_text
  from adseg_jax.data.pixels import OWN_CLASSES

  make(root)
  own, colours = PngInfo(), [(9, 9, 9), (8, 8, 8), (7, 7, 7)]
  own.add_itxt(OWN_CLASSES, to_text(['road', 'sky', 'void'], colours))
  palette(np.array([1, 0, 2])[PLACES], colours).save(
      root / 'labels/n0.png', pnginfo=own
  )


def turned(root, upright=True):
  make(root)
  exif = Image.Exif()
  exif[0x0112] = 6  # a quarter to the right
  stored = np.rot90(np.asarray(layouts.photo(0))).copy()
  Image.fromarray(stored).save(root / 'images/n0.png', exif=exif)
  if not upright:
    Image.fromarray(np.rot90(IDS).copy()).save(root / 'labels/n0.png')


def palettes_that_differ(root):
  make(root, label=palette(PLACES, COLOURS))
  palette(PLACES, COLOURS[::-1]).save(root / 'labels/n1.png')


def linked(root):
  make(root.parent / 'far')
  root.mkdir()
  for name in 'images', 'labels':
    (root / name).symlink_to(root.parent / 'far' / name)
  write(root, 'classes.txt', PLAIN)


def littered(root):
  make(root)
  for name in 'Thumbs.db', '._n0.png', '__MACOSX/n0.png':
    for top in 'images', 'labels':
      write(root, f'{top}/{name}', b'no')
  (root / 'images/gone.png').symlink_to('nowhere')


def accented(root):
  make(root)
  for top, form in ('images', 'NFC'), ('labels', 'NFD'):
    name = unicodedata.normalize(form, 'é.png')
    (root / f'{top}/n0.png').rename(root / top / name)


def roboflow(root):
  in_splits(
      '{split}/{name}.png', '{split}/{name}_mask.png', ('train', 'valid')
  )(root)


BINARY = (PLACES == 1)
TWO = 255 * BINARY.astype(np.uint8)

READ = {
    'ids, 8-bit grey': labels(),
    'ids, 16 bits': labels(label=PLACES.astype(np.uint16)),
    'ids, grey with alpha': labels(label=opaque(IDS)),
    'ids, grey stored as RGB': labels(label=np.dstack([IDS] * 3)),
    'ids, indices of a palette': labels(label=palette(PLACES, COLOURS)),
    'ids, .tif': labels(ending='.tif'),
    'ids, .bmp': labels(ending='.bmp'),
    'ids, .gif': labels(ending='.gif'),
    'ids beside colours in the list that no label holds': labels(
        table([(9, 9, 9), (8, 8, 8), (7, 7, 7)])
    ),
    'colours, RGB': labels(table(COLOURS), COLOURS[PLACES]),
    'colours, RGBA': labels(table(COLOURS), opaque(COLOURS[PLACES])),
    'colours, a palette in any order': labels(
        table(COLOURS), palette(2 - PLACES, COLOURS[::-1])
    ),
    'colours, .tif': labels(table(COLOURS), COLOURS[PLACES], ending='.tif'),
    'colours, .bmp': labels(table(COLOURS), COLOURS[PLACES], ending='.bmp'),
    'colours that are grey, saved as grey, grey with alpha and 16 bits':
    labels(
        table(GREYS), opaque(GREYS[PLACES][..., 0]),
        GREYS[PLACES][..., 0].astype(np.uint16) * 257,
    ),
    'what `adseg predict` wrote, with classes in another order': predicted,
    'upright, of a photograph that an EXIF tag turns': turned,
    'a name on each line, void in any case': classes('sky\nroad\nVoid\n'),
    'with a byte order mark, and Windows line ends': classes(
        '\ufeffsky\r\nroad\r\nvoid\r\n'
    ),
    'UTF-16': classes(PLAIN.encode('utf-16')),
    'Latin-1': classes('sky # ü\nroad\nvoid\n'.encode('latin-1')),
    'comments': classes('# mine\nsky\nroad # wet, too\nvoid\n'),
    '`name r g b`, also with commas or brackets': classes(
        'sky 0 0 0\nroad, 255, 255, 255\nvoid (128, 64, 128)\n',
        label=COLOURS[PLACES],
    ),
    '`name #rrggbb`': classes(
        'sky #000000\nroad #FFFFFF\nvoid #804080\n', label=COLOURS[PLACES]
    ),
    '`r g b name`': classes(
        '0 0 0\tsky\n255 255 255\troad\n128 64 128\tvoid\n',
        label=COLOURS[PLACES],
    ),
    '`id name`, in any order': classes(
        '5 void\n3 sky\n4 road\n', label=IDS + 3
    ),
    "CVAT's labelmap.txt": classes(
        '# label:color_rgb:parts:actions\nsky:0,0,0::\nroad:255,255,255::\n'
        'void:128,64,128::\n', 'labelmap.txt', label=COLOURS[PLACES],
    ),
    "labelme's labels.txt": classes(
        '__ignore__\nsky\nroad\n', 'labels.txt', label=TRUTH.astype(np.uint8)
    ),
    "Roboflow's _classes.csv": classes(
        'Pixel Value, Class\n0, sky\n1, road\n2, void\n', '_classes.csv'
    ),
    'a header `name,r,g,b`': classes(
        'name,r,g,b\nsky,0,0,0\nroad,255,255,255\nvoid,128,64,128\n',
        'class_dict.csv', label=COLOURS[PLACES],
    ),
    'images/, labels/': labels(),
    'images/, masks/': moved({'labels': 'masks'}),
    'images/training, annotations/training, and validation (ADE20K)':
    in_splits(
        'images/{split}/{name}.png', 'annotations/{split}/{name}.png',
        ('training', 'validation'),
    ),
    'train/images, train/labels, and valid (YOLO, Roboflow)': in_splits(
        '{split}/images/{name}.png', '{split}/labels/{name}.png',
        ('train', 'valid'),
    ),
    'train/a.jpg, train/a_mask.png, and valid (Roboflow)': roboflow,
    'JPEGImages/, SegmentationClass/, ImageSets/Segmentation (VOC, CVAT)':
    moved(
        {'images': 'JPEGImages', 'labels': 'SegmentationClass'},
        {'ImageSets/Segmentation/train.txt': 'n0\nn1\nn2',
         'ImageSets/Segmentation/val.txt': 'n3\n'},
    ),
    'train.txt and val.txt': moved(
        {}, {'train.txt': 'n0\nn1\nn2\n', 'val.txt': 'n3\n'}
    ),
    'lists with endings': moved(
        {}, {'train.txt': 'n0.jpg\nn1.png\nn2.png\n', 'val.txt': 'n3.png\n'}
    ),
    'lists with folders': moved({}, {
        'train.txt': 'images/n0.png\n/x/images/n1.png\n./images/n2.png\n',
        'val.txt': 'images\\n3.png\n',
    }),
    'lists in two columns': moved({}, {
        'train.txt': 'images/n0.png labels/n0.png\nn1.png,n1.png\nn2 n2\n',
        'val.txt': 'images/n3.png\tlabels/n3.png\n',
    }),
    'lists in UTF-16': moved({}, {
        'train.txt': 'n0\r\nn1\r\nn2\r\n'.encode('utf-16'),
        'val.txt': 'n3\r\n'.encode('utf-16'),
    }),
    'links to folders': linked,
    'hidden files, Thumbs.db, dangling links': littered,
    'names in two Unicode forms': accented,
}
# As above, but labels of the first two classes alone, some or all.
READ_PARTS = {
    'colours, one label with its greys alone saved as grey': labels(
        table(COLOURS), TWO, COLOURS[PLACES]
    ),
    'colours, one label of black and white saved with 1 bit': labels(
        table(COLOURS), BINARY, COLOURS[PLACES]
    ),
    'a mask of 1 bit, two classes, no colours': labels('sky\nroad\n', BINARY),
    'a mask of 0 and 255, two classes, with colours': labels(
        table(COLOURS[:2], ('sky', 'road')), TWO
    ),
    'names with brackets, bars and commas': classes(
        'sky [/]\nroad|a, b\nvoid\n', label=BINARY.astype(np.uint8)
    ),
}
REFUSED = {
    'a mask of 0 and 255, two classes, no colours': labels('sky\nroad\n', TWO),
    'ids in one label, colours in the others': labels(
        table(COLOURS), IDS, COLOURS[PLACES]
    ),
    'grey values that are colours and ids, and differ': labels(
        table([(1, 1, 1), (0, 0, 0)], ('sky', 'road')),
        BINARY.astype(np.uint8),
    ),
    'colours, none in the list': labels(label=COLOURS[PLACES]),
    'a colour that the list does not have': labels(
        table(COLOURS), COLOURS[PLACES] + np.uint8(1)
    ),
    'an id that the list does not have': labels(label=IDS + 5),
    'a palette of greys other than its indices': labels(
        label=palette(BINARY, [[0] * 3, [2] * 3])
    ),
    'JPEG': labels(ending='.jpg'),
    'a palette whose index changes its colour between files':
    palettes_that_differ,
    'as the photograph is stored, before an EXIF tag turns it':
    lambda root: turned(root, upright=False),
    'a header of one word': classes('classes\nsky\nroad\n'),
    'a colour on some lines': classes('sky 1 2 3\nroad\n'),
    'a name twice': classes('sky\nroad\nsky\n'),
    "CVAT's form on some lines": classes('sky:1,2,3::\nroad\n'),
    'JSON': classes('["sky", "road", "void"]'),
    'one class': classes('crack\n'),
    'train.txt alone': moved({}, {'train.txt': 'n0\n'}),
    'a list with a name that no image has': moved(
        {}, {'train.txt': 'n0\n', 'val.txt': 'n9\n'}
    ),
    'two columns of different names': moved(
        {}, {'train.txt': 'n0\n', 'val.txt': 'images/n1.png labels/n2.png\n'}
    ),
    'images/train and images/test alone': in_splits(
        'images/{split}/{name}.png', 'labels/{split}/{name}.png',
        ('train', 'test'),
    ),
    'images/train and images/training': moved({
        'images/n0.png': 'images/train/n0.png',
        'labels/n0.png': 'labels/train/n0.png',
        'images/n1.png': 'images/training/n1.png',
        'labels/n1.png': 'labels/training/n1.png',
        'images/n2.png': 'images/val/n2.png',
        'labels/n2.png': 'labels/val/n2.png',
        'images/n3.png': 'images/val/n3.png',
        'labels/n3.png': 'labels/val/n3.png',
    }),
    'images/train, and pictures beside it': moved({
        'images/n0.png': 'images/train/n0.png',
        'labels/n0.png': 'labels/train/n0.png',
    }),
    'no list of classes': lambda root: (
        make(root), (root / 'classes.txt').unlink()
    ),
}
ALL = dict(itertools.chain(
    READ.items(), READ_PARTS.items(), REFUSED.items()
))
