"""Your own images: a folder with images/, labels/ and classes.txt.

adseg_jax/data/folder.py says what goes into it. Look for mistakes first; then
train, with the lambda = 0 control, which tells whether the adversary helps:

  adseg data check folder --data.root FOLDER --output check
  python experiments/folder.py --data.root FOLDER --control

Method: the small pair of networks of Luc et al. 2016. What to expect, and how
long it takes, depends on the images; the paper's adversary acts as a
regulariser, so most with few.
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

# All settings are chosen: a start that trains on most data.
EXPERIMENT = Experiment(
    name='folder',
    # Images of any size; --data.size 240 320 makes large ones small first.
    data=Data(name='folder', batch=8, crop=(128, 128), scale=(0.5, 2.0)),
    # Absolute colour tells most classes: no local normalisation.
    segmentor=Segmentor(name='multiscale', local_normalization=False),
    adversary=Adversary(discriminator='two_branch', weight=0.05),
    optimizer=Optimizer(
        steps=2000,
        segmentor=Update(
            name='adam', learning_rate=1e-3, schedule='cosine', warmup=100
        ),
        discriminator=Update(name='adam', learning_rate=1e-4, momentum=0.5),
    ),
    evaluation=Evaluation(every=200, batch=16),
    logging=Logging(every=10, checkpoint_every=200),
)

if __name__ == '__main__':
  cli.run(EXPERIMENT, __doc__)
