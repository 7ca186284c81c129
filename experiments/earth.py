"""Climate zones on Earth: an adversarial segmentor in a few minutes on a CPU.

Data: NASA Blue Marble and Köppen-Geiger classes, embedded in two packages; no
download. Method: multi-scale segmentor and two-branch discriminator of Luc et
al. 2016, at half their widths.

  python experiments/earth.py --workdir runs/earth --control
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

EXPERIMENT = Experiment(
    name='earth',
    data=Data(name='earth', batch=8, crop=(128, 128), scale=(0.5, 2.0)),
    # A climate is told by absolute colour: no local normalisation.
    segmentor=Segmentor(width=0.5, local_normalization=False),
    adversary=Adversary(width=0.5, weight=0.05),
    optimizer=Optimizer(
        steps=300,
        segmentor=Update(
            name='adam', learning_rate=2e-3, schedule='cosine', warmup=20
        ),
        discriminator=Update(name='adam', learning_rate=2e-4, momentum=0.5),
    ),
    evaluation=Evaluation(every=100, batch=16),
    logging=Logging(every=10, checkpoint_every=100),
)

if __name__ == '__main__':
  cli.run(EXPERIMENT, __doc__)
