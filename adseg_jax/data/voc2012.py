"""PASCAL VOC 2012, with the extra labels of SBD: 20 classes and background.

Everingham et al. 2010; Semantic Boundaries Dataset: Hariharan et al. 2011.
Splits: `train`, 1,464 images; `trainaug`, these and the images of SBD that
are not among VOC's for validation, 10,582 in all; `validation`, 1,449. An
image that both label has VOC's label, which is finer and marks void.
"""

from pathlib import Path

from adseg_jax import config
from adseg_jax.data.dataset import Dataset, Source, colormap
from adseg_jax.data.labels import Label, read_mat, read_png
from adseg_jax.data.originals import Fault, Originals, Record, find_root
from adseg_jax.errors import UserError

CLASSES = (
    'background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus',
    'car', 'cat', 'chair', 'cow', 'dining table', 'dog', 'horse', 'motorbike',
    'person', 'potted plant', 'sheep', 'sofa', 'train', 'tv/monitor',
)
MISSING = 'listed images without a file'
MISSING_LABEL = 'listed images without a label'

SOURCE = Source(
    homepage='http://host.robots.ox.ac.uk/pascal/VOC/voc2012/ and '
    'http://home.bharathh.info/pubs/codes/SBD/download.html',
    licence="images: Flickr's terms of use; labels: none stated",
    layout='VOCdevkit/VOC2012/ with JPEGImages/, SegmentationClass/ and '
    'ImageSets/Segmentation/, and benchmark_RELEASE/dataset/ with cls/, '
    'train.txt and val.txt (SBD; not needed with --data.train train)',
)
_VOC = Path('VOCdevkit/VOC2012')
_LISTS = _VOC / 'ImageSets/Segmentation'
_SBD = Path('benchmark_RELEASE/dataset')


def read_label(path: Path) -> Label:
  """A palette PNG of VOC or a MATLAB file of SBD."""
  return read_mat(path) if path.suffix == '.mat' else read_png(path)


def _names(path: Path) -> list[str]:
  names = path.read_text('utf-8').split()
  # A list from elsewhere must not lead out of the data set's folders.
  strange = [name for name in names if Path(name).name != name]
  if strange:
    raise UserError(
        f'{path}: {strange[0]!r} is no name of an image: give names without '
        'folders and endings'
    )
  return names


def _splits(root: Path, train: str) -> dict[str, dict[str, Path]]:
  """Name -> label file, for each split."""
  def voc(names):
    return {n: root / _VOC / 'SegmentationClass' / f'{n}.png' for n in names}

  splits = {
      'train': voc(_names(root / _LISTS / 'train.txt')),
      'validation': voc(_names(root / _LISTS / 'val.txt')),
  }
  if train != 'train':
    # SBD's own training and validation sets overlap with VOC's validation.
    extra = [
        name for part in ('train.txt', 'val.txt')
        for name in _names(root / _SBD / part)
        if name not in splits['train'] and name not in splits['validation']
    ]
    splits['trainaug'] = splits['train'] | {
        name: root / _SBD / 'cls' / f'{name}.mat' for name in extra
    }
    # Nothing asks for it, and its labels would be checked twice.
    del splits['train']
  return splits


def originals(data: config.Data) -> Originals:
  """The files in `data.root`, as the two archives unpack.

  Raises:
    UserError: folders or lists are missing.
  """
  needed = [
      _VOC / 'JPEGImages', _VOC / 'SegmentationClass', _LISTS / 'train.txt',
      _LISTS / 'val.txt',
  ]
  if data.train != 'train':
    needed += [_SBD / part for part in ('cls', 'train.txt', 'val.txt')]
  root = find_root(data, 'voc2012', SOURCE, needed, ('.', 'voc2012'))
  splits, faults = {}, []
  for split, files in _splits(root, data.train).items():
    records = [
        Record(name, root / _VOC / 'JPEGImages' / f'{name}.jpg', label)
        for name, label in files.items()
    ]
    lacking = [
        Fault(kind, str(path.relative_to(root)))
        for record in records
        for kind, path in (
            (MISSING, record.image), (MISSING_LABEL, record.label)
        ) if not path.exists()
    ]
    if lacking:
      records = [r for r in records if r.image.exists() and r.label.exists()]
    splits[split] = tuple(sorted(records))
    faults += lacking
  return Originals(root, splits, read_label, tuple(faults))


DATASET = Dataset(
    'voc2012', CLASSES, colormap(len(CLASSES)), train='trainaug',
    source=SOURCE, originals=originals,
    counts={'train': 1464, 'trainaug': 10582, 'validation': 1449},
)
