"""What the benchmark measures: pairs of networks, with their sizes."""

import dataclasses

from adseg_jax.config import (
    Adversary,
    Data,
    Experiment,
    Optimizer,
    Segmentor,
    Update,
)

ADAM = Update(name='adam', learning_rate=1e-4, momentum=0.5)
CAMVID = Data(batch=4, crop=(180, 240))
# The class counts of CamVid and of PASCAL VOC 2012.
CAMVID_CLASSES, VOC_CLASSES = 11, 21


@dataclasses.dataclass(frozen=True)
class Case:
  """A step to measure.

  Attributes:
    classes: C.
    experiment: networks, adversary, optimisers, batch and crop; data and
      schedules of learning rates are not used.
    gpu: whether it takes too long on a CPU to be measured unasked.
  """

  classes: int
  experiment: Experiment
  gpu: bool = False

  def as_json(self) -> dict:
    """As workers take it."""
    data = self.experiment.data
    return {
        'classes': self.classes, 'batch': data.batch, 'crop': data.crop,
        'experiment': dataclasses.asdict(self.experiment),
    }


def _experiment(segmentor, adversary, data, update):
  return Experiment(
      segmentor=segmentor, adversary=adversary, data=data,
      optimizer=Optimizer(segmentor=update, discriminator=ADAM),
  )


def _vgg(name, data, width=1.0, encoding='basic'):
  """On VGG-16, with SGD, as is usual for it."""
  return _experiment(
      Segmentor(name=name, width=width),
      Adversary(discriminator='large_fov', width=width, encoding=encoding),
      data, Update(learning_rate=1e-3),
  )


def _on_camvid(**adversary):
  """The sizes of experiments/camvid.py, the paper's widths."""
  return _experiment(
      Segmentor(name='multiscale'), Adversary(weight=0.01, **adversary),
      CAMVID, Update(name='adam', learning_rate=1e-3, momentum=0.9),
  )


def _on_encoder(name, encoder, batch, crop):
  """As in experiments/camvid_lite.py; the start does not change the time."""
  return _experiment(
      Segmentor(name=name, encoder=encoder),
      Adversary(
          discriminator='two_branch', width=0.5, encoding='scaling', weight=0.01
      ),
      Data(batch=batch, crop=crop),
      Update(name='adam', learning_rate=1e-3, momentum=0.9),
  )


CASES = {
    'multiscale': Case(CAMVID_CLASSES, _on_camvid(
        discriminator='two_branch', encoding='scaling'
    )),
    # One network a step: what each costs, on average.
    'alternating': Case(CAMVID_CLASSES, _on_camvid(
        discriminator='two_branch', encoding='scaling', alternate_every=1
    )),
    'patch': Case(CAMVID_CLASSES, _on_camvid(discriminator='patch')),
    'light': Case(VOC_CLASSES, _vgg(
        'fcn32s', Data(batch=4, crop=(224, 224)), width=0.25
    )),
    'fcn32s': Case(
        VOC_CLASSES, _vgg('fcn32s', Data(batch=2, crop=(224, 224)))
    ),
    'fpn_lite0': Case(CAMVID_CLASSES, _on_encoder(
        'fpn', 'efficientnet_lite0', 4, (180, 240)
    )),
    'fpn_lite0_large': Case(CAMVID_CLASSES, _on_encoder(
        'fpn', 'efficientnet_lite0', 2, (360, 480)
    )),
    'deeplab_lite0': Case(CAMVID_CLASSES, _on_encoder(
        'deeplabv3plus', 'efficientnet_lite0', 4, (180, 240)
    )),
    'fpn_resnet50': Case(VOC_CLASSES, _on_encoder(
        'fpn', 'resnet50', 8, (512, 512)
    ), gpu=True),
    'dilated8': Case(VOC_CLASSES, _vgg(
        'dilated8', Data(batch=8, crop=(321, 321)), encoding='product'
    ), gpu=True),
}
