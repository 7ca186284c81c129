"""PASCAL VOC 2012, with the extra labels of SBD: 20 classes and background.

Everingham et al. 2010; Semantic Boundaries Dataset: Hariharan et al. 2011.
Splits: `train`, 1,464 images; `trainaug`, these and the images of SBD that
are not among VOC's for validation, 10,582 in all; `validation`, 1,449. An
image that both label has VOC's label, which is finer and marks void.
"""

from pathlib import Path

from adseg_jax import config
from adseg_jax.data.dataset import Dataset, Source, colormap
from adseg_jax.data.labels import Label, read_mat
from adseg_jax.data.originals import Fault, Originals, Record, find_root
from adseg_jax.data.pixels import read_png
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


def _splits(root: Path, alone: bool) -> dict[str, dict[str, Path]]:
  """Name -> label file, for each split: VOC's alone, or with SBD's."""
  first, validation = (
      {name: root / _VOC / 'SegmentationClass' / f'{name}.png'
       for name in _names(root / _LISTS / part)}
      for part in ('train.txt', 'val.txt')
  )
  if alone:
    return {'train': first, 'validation': validation}
  # SBD's own training and validation sets overlap with VOC's.
  extra = {
      name: root / _SBD / 'cls' / f'{name}.mat'
      for part in ('train.txt', 'val.txt')
      for name in _names(root / _SBD / part) if name not in validation
  }
  return {'validation': validation, 'trainaug': extra | first}


def originals(data: config.Data) -> Originals:
  """The files in `data.root`, as the two archives unpack.

  Raises:
    UserError: folders or lists are missing.
  """
  alone = data.train == 'train'
  root = find_root(data, 'voc2012', SOURCE, [
      *(_VOC / part for part in ('JPEGImages', 'SegmentationClass')),
      *(_LISTS / part for part in ('train.txt', 'val.txt')),
      *(_SBD / part for part in ('cls', 'train.txt', 'val.txt') if not alone),
  ], ('.', 'voc2012'))
  splits, faults = {}, []
  for split, labels in _splits(root, alone).items():
    records = [
        Record(name, root / _VOC / 'JPEGImages' / f'{name}.jpg', label)
        for name, label in sorted(labels.items())
    ]
    absent = {
        path: kind for record in records for kind, path in (
            (MISSING, record.image), (MISSING_LABEL, record.label)
        ) if not path.exists()
    }
    faults += [
        Fault(kind, str(path.relative_to(root)))
        for path, kind in absent.items()
    ]
    splits[split] = tuple(
        record for record in records if absent.keys().isdisjoint(record)
    )
  return Originals(root, splits, read_label, tuple(faults))


DATASET = Dataset(
    'voc2012', CLASSES, colormap(len(CLASSES)), train='trainaug',
    source=SOURCE, originals=originals,
    counts={'train': 1464, 'trainaug': 10582, 'validation': 1449},
)
