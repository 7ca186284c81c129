"""Stanford Background: the small experiment of Luc et al. 2016.

Multi-scale segmentor (Farabet et al. 2013) against the two-branch
discriminator (arXiv:1611.08408). Expected mean IoU: 51.3 standard, 54.3
adversarial, as quoted by a single later source; class accuracy on validation
images peaks near 63.3 and 66.3, as read from a figure. Their split is not
known, so ours (572/143, five folds) can't give the same numbers.

  python experiments/stanford_background.py --data.root iccv09Data --control

Not run to its end by us yet: hardware and time are not known.
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

# Pixels of a class map, a quarter of the crop along each side.
PIXELS = 60 * 80

EXPERIMENT = Experiment(
    name='stanford_background',
    # Batch, crop and augmentation: not known, chosen. Images are 320x240.
    data=Data(
        name='stanford_background', batch=8, crop=(240, 320), scale=(0.75, 1.5)
    ),
    # The paper's network, with its local normalisation.
    segmentor=Segmentor(name='multiscale', local_normalization=True),
    adversary=Adversary(
        discriminator='two_branch',  # the paper's
        encoding='basic',  # the paper's for this data set
        objective='bce',  # the paper's, in its non-saturating form
        # The paper's is 2 on the sum over pixels (from memory, not checked):
        # the same on their mean.
        weight=2 / PIXELS,
        alternate_every=500,  # the paper's slow scheme
    ),
    # Optimisers and length: not known, chosen.
    optimizer=Optimizer(
        steps=10_000,
        segmentor=Update(
            name='adam', learning_rate=1e-3, schedule='cosine', warmup=100
        ),
        discriminator=Update(name='adam', learning_rate=1e-4, momentum=0.5),
    ),
    evaluation=Evaluation(every=500, batch=16),
    logging=Logging(every=20, checkpoint_every=500),
)

if __name__ == '__main__':
  cli.run(EXPERIMENT, __doc__)
