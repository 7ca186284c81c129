"""Your own images: a folder with images/, labels/ and classes.txt.

adseg_jax/data/folder.py says what goes into it. Look for mistakes first; then
train, with the lambda = 0 control, which tells whether the adversary helps:

  adseg data check folder --data.root FOLDER --output check
  python experiments/folder.py --data.root FOLDER --control

The segmentor is that of camvid_lite.py, from ImageNet weights where the extra
`lite` is installed, as `make` does; else it starts from random ones, and says
so. What to expect, and how long it takes, depends on the images: 40 frames of
CamVid gave a mean IoU of 0.44 in 9 minutes on 2 CPU cores, without the
adversary (experiments/README.md). The paper's adversary acts as a regulariser,
so most with few. --segmentor.weights RUN goes on from another run's segmentor.
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

# All settings are chosen, mostly as in camvid_lite.py; not measured.
EXPERIMENT = Experiment(
    name='folder',
    # Images of any size; --data.size 240 320 makes large ones small first.
    data=Data(name='folder', batch=8, crop=(192, 192), scale=(0.7, 1.7)),
    segmentor=Segmentor(
        name='fpn', encoder='efficientnet_lite0', weights='auto'
    ),
    adversary=Adversary(
        discriminator='two_branch', width=0.5, encoding='scaling', weight=0.01
    ),
    optimizer=Optimizer(
        steps=1000,
        # One rate for all layers: any --segmentor.name goes with it.
        segmentor=Update(
            name='adamw', learning_rate=2e-3, schedule='cosine', warmup=50,
            weight_decay=1e-4, clip=5.0,
        ),
        discriminator=Update(name='adam', learning_rate=1e-4, momentum=0.5),
    ),
    evaluation=Evaluation(every=200, batch=16),
    logging=Logging(every=10, checkpoint_every=200),
)

if __name__ == '__main__':
  cli.run(EXPERIMENT, __doc__)
