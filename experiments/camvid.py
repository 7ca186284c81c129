"""CamVid at 240x180: the paper's small pair of networks on real photographs.

Networks of Luc et al. 2016 for Stanford Background (multi-scale segmentor,
two-branch discriminator); data of Brostow et al. 2009, SegNet's version. The
paper has no CamVid; published with larger networks at 480x360 (test mean IoU,
as quoted in later papers): SegNet 60.1, FCN-8s 57.0, ENet 51.3.

  python experiments/camvid.py --data.root CAMVID --control

Expected, on 2 CPU cores in 22 minutes for the control and 54 for the
adversarial arm: mean IoU 0.404 and 0.402 on test (one seed;
experiments/README.md).
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

# All settings are chosen, save the networks: no paper gives any.
EXPERIMENT = Experiment(
    name='camvid',
    # Whole frames: the networks see further than a crop of half the side, and
    # where the road and the sky are is half of what there is to know.
    data=Data(
        name='camvid', size=(180, 240), batch=4, crop=(180, 240),
        scale=(0.8, 1.25), jitter=0.3, balance=0.5,
    ),
    segmentor=Segmentor(name='multiscale', width=0.5),
    # With the basic encoding and lambda 0.05 the discriminator wins within a
    # thousand steps (its loss falls below 0.1).
    adversary=Adversary(
        discriminator='two_branch', width=0.5, encoding='scaling', weight=0.01
    ),
    optimizer=Optimizer(
        steps=5505,  # 60 epochs of 367 images
        segmentor=Update(
            name='adam', learning_rate=0.01, schedule='cosine', warmup=100
        ),
        discriminator=Update(name='adam', learning_rate=1e-4, momentum=0.5),
    ),
    evaluation=Evaluation(every=918, batch=16),
    logging=Logging(every=20, checkpoint_every=306),
)

if __name__ == '__main__':
  cli.run(EXPERIMENT, __doc__)
