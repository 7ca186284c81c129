"""CamVid at 240x180: the paper's small pair of networks on real photographs.

Networks of Luc et al. 2016 for Stanford Background (multi-scale segmentor,
two-branch discriminator); data of Brostow et al. 2009, SegNet's version. The
paper has no CamVid; published with larger networks at 480x360 (test mean IoU,
as quoted in later papers): SegNet 60.1, FCN-8s 57.0, ENet 51.3. A sound
control here is above 0.40 on test.

  python experiments/camvid.py --data.root CAMVID --control
"""

from adseg_jax import cli
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
    data=Data(
        name='camvid', size=(180, 240), batch=8, crop=(144, 192),
        scale=(0.75, 1.5),
    ),
    # Sky, road and trees are told by absolute colour as well.
    segmentor=Segmentor(
        name='multiscale', width=0.5, local_normalization=False
    ),
    adversary=Adversary(
        discriminator='two_branch', width=0.5, weight=0.05
    ),
    optimizer=Optimizer(
        steps=1840,  # 40 epochs of 367 images
        segmentor=Update(
            name='adam', learning_rate=1e-3, schedule='cosine', warmup=100
        ),
        discriminator=Update(name='adam', learning_rate=1e-4, momentum=0.5),
    ),
    evaluation=Evaluation(every=368, batch=16),
    logging=Logging(every=10, checkpoint_every=184),
)

if __name__ == '__main__':
  cli.run(EXPERIMENT, __doc__)
