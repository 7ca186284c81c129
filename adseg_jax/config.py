"""An experiment, as frozen dataclasses that hold every setting of a run.

An experiment script holds an instance; the command line overrides fields
(`--optimizer.steps 300`); the resolved instance is saved with the run.
The docstring under a field is its help text and gives its unit.
"""

import dataclasses
from typing import Literal

SegmentorName = Literal[
    'multiscale', 'fcn32s', 'fcn16s', 'fcn8s', 'dilated8', 'fpn',
    'unet', 'deeplabv3plus',
]
EncoderName = Literal[
    'efficientnet_lite0', 'efficientnet_lite1', 'efficientnet_lite2',
    'resnet18', 'resnet34', 'resnet50', 'resnet101',
]
DiscriminatorName = Literal[
    'two_branch', 'large_fov', 'large_fov_light', 'small_fov',
    'small_fov_light', 'patch',
]
EncodingName = Literal['basic', 'product', 'scaling']
AugmentName = Literal['flip', 'translation', 'cutout']
ObjectiveName = Literal['bce', 'minimax', 'lsgan', 'hinge']


@dataclasses.dataclass(frozen=True)
class Data:
  """Which images, and how they are augmented for training."""

  name: str = 'earth'
  """Data set; an unknown name lists the known ones."""
  root: str = ''
  """Folder of the original files; empty: the environment's ADSEG_DATA."""
  train: str = ''
  """Split to train on; empty: the data set's own choice."""
  size: tuple[int, int] = (0, 0)
  """Height and width that the segmentor sees every image at, while scores are
  of images at their own size; 0 0: as they are."""
  limit: int = 0
  """Images of each split, evenly spread over it; 0: all."""
  fold: int = 0
  """stanford_background only: the fifth that validates, 0 to 4."""
  held_out: float = 0.2
  """folder only, where no file lists the splits: share of the images that
  validates."""
  labelled: float = 1.0
  """Training images that keep their labels: a share, or, above 1, a number. The
  seed draws them, and a smaller share's are among a larger one's. The others
  are unlabelled."""
  unlabelled: str = ''
  """Folder of further images without labels."""
  unlabelled_split: str = ''
  """Split of the data set whose images are taken without their labels, too."""
  prepared: str = ''
  """Folder of prepared data sets; empty: TFDS_DATA_DIR, else
  ~/tensorflow_datasets."""
  batch: int = 16
  """Images per step, over all devices and hosts."""
  accumulate: int = 1
  """Parts that a batch is computed in, one after another: the same step in less
  memory. Dropout and adversary.augment are drawn for each part."""
  crop: tuple[int, int] = (128, 128)
  """Height and width of a training crop, in pixels."""
  scale: tuple[float, float] = (0.5, 2.0)
  """Range of the random scale; 1 is the image's own size."""
  flip: bool = True
  """Mirror half of the crops left to right."""
  jitter: float = 0.2
  """Photometric jitter: brightness is shifted by up to this much of full
  range, contrast and saturation are scaled by 1 - jitter to 1 + jitter."""
  balance: float = 0.0
  """Weight of rare classes in the cross-entropy: exponent of (1 / class
  frequency), scaled to a mean of 1 over pixels. 0 weighs every pixel alike, 1
  is median frequency balancing."""
  class_weights: tuple[str, ...] = ()
  """Weights of classes in the cross-entropy, as they are: a number for each
  class in order, or NAME=NUMBER for some, such as road=0.5, and the others
  weigh 1. Instead of balance."""


@dataclasses.dataclass(frozen=True)
class Segmentor:
  """The network that gives every pixel a class."""

  name: SegmentorName = 'multiscale'
  """Architecture."""
  encoder: EncoderName = 'efficientnet_lite0'
  """fpn, unet and deeplabv3plus only: what they stand on."""
  output_stride: Literal[8, 16] = 16
  """deeplabv3plus only: stride of the encoder's last map; 8 is finer and takes
  about three times as long."""
  width: float = 1.0
  """Factor on the channel counts; 1 is the paper's network."""
  local_normalization: bool = True
  """Multi-scale only: feed a locally normalised Laplacian pyramid, as the
  paper does; False feeds a plain pyramid, which keeps absolute colour."""
  context: Literal['none', 'basic', 'large'] = 'none'
  """Dilated-8 only: the context module behind the front end."""
  recompute: bool = False
  """dilated8, fpn, unet and deeplabv3plus only: compute the blocks of VGG or of
  the encoder again in the backward pass. Less memory, more time, the same
  result."""
  weights: str = ''
  """Weights to start from, of VGG-16 or the encoder: a file (.safetensors,
  .pth, .h5 or .npz); hf:OWNER/NAME, a repository of the Hugging Face hub; or
  imagenet: the encoder's, from the package that the extra `lite` installs.
  VGG-16's class layer is taken where the class count agrees. Or the workdir of
  another run, or the folder of a checkpoint in it: its segmentor, with the
  classes of the same names. Empty: random weights; auto: imagenet where that is
  possible, else random ones, which the run says."""
  average: int = 0
  """Images after which weights count half in a moving average of the weights,
  which is scored beside them; 0: no average."""


@dataclasses.dataclass(frozen=True)
class Adversary:
  """The discriminator, what it sees, and how it enters the loss."""

  discriminator: DiscriminatorName = 'two_branch'
  """Architecture."""
  width: float = 1.0
  """Factor on the channel counts; 1 is the paper's network."""
  encoding: EncodingName = 'basic'
  """How class maps are shown to the discriminator."""
  tau: float = 0.9
  """scaling only: least probability of the true class in real maps, above 0."""
  objective: ObjectiveName = 'bce'
  """Adversarial loss."""
  weight: float = 0.1
  """lambda, the factor on the adversarial loss; 0 trains the segmentor
  alone: the control. Its meaning depends on the reduction."""
  pull: float = 0.0
  """0: lambda is `weight`. Otherwise lambda begins there and follows the share
  that is given: the norm of lambda times the adversary's gradient over that of
  the cross-entropy's, at the segmentor's logits."""
  reduction: Literal['mean', 'sum'] = 'mean'
  """Cross-entropy over the pixels of an image: 'mean', as later work, or
  'sum', as the paper's equation 1. A mean makes lambda stronger by the number
  of pixels of a class map."""
  start: int = 0
  """Steps that the segmentor trains alone before the adversary starts."""
  alternate_every: int = 0
  """0: both networks are updated at every step; k: k steps of one, then k of
  the other, the segmentor first (the paper's slow scheme has k = 500)."""
  feature_matching: bool = False
  """The segmentor brings the discriminator's last features of its maps to those
  of true maps; the objective is then the discriminator's alone."""
  augment: tuple[AugmentName, ...] = ()
  """What is done to maps and images before the discriminator sees them, the
  same to true maps and the segmentor's: any of flip, translation (by up to an
  eighth of a side) and cutout (a hole of half the sides)."""
  smoothing: float = 0.0
  """Share by which true maps count as fake in the discriminator's loss, which
  keeps it from being sure; 0.1 is usual."""
  r1: float = 0.0
  """Weight of the R1 gradient penalty, which keeps the discriminator smooth
  around true maps; 0: none."""
  r1_every: int = 16
  """The penalty is taken in one of so many steps, so many times: for little
  more time, the same on average."""


# Fields of Unlabelled: each a way to learn from images without labels.
LESSONS = 'adversarial', 'self_training', 'mean_teacher', 'fixmatch'


@dataclasses.dataclass(frozen=True)
class Unlabelled:
  """What images without labels teach, each a factor on a loss; 0: nothing. They
  come in batches as large as the labelled ones."""

  adversarial: float = 0.0
  """Factor on the adversarial losses of their maps, beside lambda: how much an
  image counts for either network."""
  self_training: float = 0.0
  """The segmentor's own classes are labels where the discriminator, one with a
  logit for each pixel (patch), takes them for true; 0.1 is usual."""
  trust: float = 0.2
  """self_training only: a pixel counts where the discriminator is more than so
  sure that it is true, 0 to below 1."""
  mean_teacher: float = 0.0
  """What the average of the weights (segmentor.average) gives of an image, the
  segmentor shall give of a strong view of it: squared differences of
  probabilities."""
  fixmatch: float = 0.0
  """The segmentor's own classes are labels for a strong view of the image,
  where it is confident; 1 is usual."""
  confidence: float = 0.95
  """fixmatch only: least probability of a class that is a label."""
  start: int = 0
  """Steps before self_training, mean_teacher and fixmatch begin."""
  another_domain: bool = False
  """They are of another domain: the discriminator tells the segmentor's maps of
  labelled images from those of the others, not from true ones (Tsai et al.
  2018)."""

  @property
  def teaches(self) -> bool:
    """Whether anything is learnt from them at all."""
    return self.another_domain or any(getattr(self, name) for name in LESSONS)


@dataclasses.dataclass(frozen=True)
class Update:
  """One network's optimiser."""

  name: Literal['sgd', 'adam', 'adamw'] = 'sgd'
  """Update rule."""
  learning_rate: float = 0.01
  """Peak learning rate."""
  schedule: Literal['constant', 'polynomial', 'cosine'] = 'constant'
  """Course of the learning rate over the run."""
  power: float = 0.9
  """Polynomial schedule only: exponent of (1 - step / steps)."""
  warmup: int = 0
  """Steps of linear rise to the peak learning rate; only those count in which
  the network learns."""
  momentum: float = 0.9
  """SGD's momentum, or Adam's decay of the first moment."""
  second_moment: float = 0.999
  """Adam only: decay of the second moment."""
  weight_decay: float = 0.0
  """Factor on the weights that is added to the gradient (AdamW: to the
  update); biases and scales are left out."""
  clip: float = 0.0
  """Largest global norm of the gradient; 0: no limit."""
  frozen: tuple[str, ...] = ()
  """Layers that never change, by the beginnings of their names, such as
  vgg/conv1 vgg/conv2; an unknown one lists the layers."""
  new_layers: tuple[str, ...] = ('score',)
  """Layers that new_layers_factor applies to, by the beginnings of their
  names: by default the class layers of the networks on VGG-16."""
  new_layers_factor: float = 1.0
  """Factor on the learning rate of new_layers; 10 is usual for a class layer
  above pretrained weights."""


@dataclasses.dataclass(frozen=True)
class Optimizer:
  """How long and how both networks are updated."""

  steps: int = 1000
  """Length of the run, in steps."""
  segmentor: Update = Update()
  """The segmentor's optimiser."""
  discriminator: Update = Update(name='adam', learning_rate=1e-4, momentum=0.5)
  """The discriminator's optimiser."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """When and how the validation images are scored."""

  every: int = 200
  """Steps between two evaluations; the last step is always evaluated."""
  batch: int = 16
  """Images per evaluation batch, over all devices."""
  panels: int = 6
  """Validation images shown in TensorBoard and in the report."""


@dataclasses.dataclass(frozen=True)
class Logging:
  """What a run writes, and how often."""

  every: int = 10
  """Steps between two lines of metrics.jsonl; each is a mean over them."""
  checkpoint_every: int = 100
  """Steps between two checkpoints; the newest three and the best are kept."""


@dataclasses.dataclass(frozen=True)
class Experiment:
  """Everything that decides the result of a run."""

  name: str = 'experiment'
  """Name of the experiment, shown in reports."""
  seed: int = 0
  """Of the PRNG key and the data stream: the same seed gives the same run."""
  data: Data = Data()
  """Images and augmentation."""
  precision: Literal['float32', 'bfloat16'] = 'float32'
  """What the networks compute in while they train. Parameters, losses and sums
  over devices stay float32; so does evaluation."""
  segmentor: Segmentor = Segmentor()
  """Segmentor."""
  adversary: Adversary = Adversary()
  """Discriminator and adversarial loss."""
  unlabelled: Unlabelled = Unlabelled()
  """Images without labels."""
  optimizer: Optimizer = Optimizer()
  """Length of the run and both optimisers."""
  evaluation: Evaluation = Evaluation()
  """Evaluation."""
  logging: Logging = Logging()
  """Metrics and checkpoints."""
