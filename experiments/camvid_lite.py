r"""CamVid at 480x360 from ImageNet weights: a feature pyramid on Lite0.

EfficientNet-Lite0 (3.1 million parameters with its head) instead of the
networks of 2012, at the images' own size. Published at this size (test mean
IoU, as quoted in later papers): SegNet 60.1, Dilated-8 65.3,
FC-DenseNet103 66.9. It needs the extra `lite`:
pip install --constraint constraints.txt --editable '.[lite]'

  python experiments/camvid_lite.py --data.root CAMVID --control

Half of the size and of the epochs, quicker:

  python experiments/camvid_lite.py --data.root CAMVID --adversary.weight 0 \
      --data.size 180 240 --data.crop 180 240 --optimizer.steps 1376

Not measured yet.
"""

from adseg_jax.commands import cli
from adseg_jax.config import (
    Adversary,
    Data,
    Evaluation,
    Experiment,
    Logging,
    Optimizer,
    Segmentor,
    Update,
)

# All settings are chosen, on validation images at 240x180 and few epochs.
EXPERIMENT = Experiment(
    name='camvid_lite',
    data=Data(
        name='camvid', batch=8, crop=(360, 480), scale=(0.7, 1.7), jitter=0.2,
        balance=0.5,
    ),
    segmentor=Segmentor(
        name='fpn', encoder='efficientnet_lite0', weights='imagenet'
    ),
    # As in camvid.py; not tuned to this segmentor.
    adversary=Adversary(
        discriminator='two_branch', width=0.5, encoding='scaling', weight=0.01
    ),
    optimizer=Optimizer(
        steps=2752,  # 60 epochs of 367 images
        segmentor=Update(
            name='adamw', learning_rate=2e-3, schedule='cosine', warmup=50,
            weight_decay=1e-4, clip=5.0, new_layers=('pyramid', 'score'),
            new_layers_factor=2.0,
        ),
        discriminator=Update(name='adam', learning_rate=1e-4, momentum=0.5),
    ),
    evaluation=Evaluation(every=459, batch=8),
    logging=Logging(every=20, checkpoint_every=153),
)

if __name__ == '__main__':
  cli.run(EXPERIMENT, __doc__)
