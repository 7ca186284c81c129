"""Oxford-IIIT Pet: cats and dogs, 3 classes; downloaded by TFDS.

Parkhi et al. 2012. The data set has no validation split: a tenth of its
training images is held out.
"""

from adseg_jax.data.dataset import Dataset, Source
from adseg_jax.data.tfds_builder import tfds_builder

CLASSES = ('pet', 'background', 'outline')
PALETTE = ((230, 120, 40), (60, 110, 150), (250, 230, 120))

SOURCE = Source(
    homepage='https://www.robots.ox.ac.uk/~vgg/data/pets/',
    licence='CC BY-SA 4.0',
    layout='nothing: TFDS downloads it (800 MB)',
)
# The class of each value of a trimap; 254, no class, of what it does not have.
IDS = (254, 0, 1, 2, *[254] * 252)

DATASET = Dataset(
    'oxford_iiit_pet', CLASSES, PALETTE,
    lambda data: tfds_builder('oxford_iiit_pet', data.prepared),
    train='train[:90%]', validation='train[90%:]', test='test', source=SOURCE,
    counts={'train[:90%]': 3312, 'train[90%:]': 368, 'test': 3669},
    features=('file_name', 'image', 'segmentation_mask'), ids=IDS,
)
