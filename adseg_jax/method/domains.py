"""Images without labels of another domain: the discriminator tells domains.

Tsai et al. 2018 (arXiv:1802.10349), on a single level: it tells the segmentor's
maps of labelled images, the source, from those of images without labels, the
target, and the segmentor makes the latter look like the former. No true map is
shown to it, so that void, which only those have, is not left out.
"""

import jax
import jax.numpy as jnp

from adseg_jax.method import measures, strength
from adseg_jax.method.forward import judge, segment
from adseg_jax.method.losses import OBJECTIVES, smoothed
from adseg_jax.method.reduction import mean_cross_entropy, mean_over
from adseg_jax.method.state import with_key
from adseg_jax.networks.segmentors import downsample_labels


def across_domains(
    segmentor, discriminator, taps, batch, *, state, method, turn, axis_name
):
  """`step.losses`, with source maps for true and target maps for fake ones.

  Arguments and results are as there; 'unlabelled_image' [B,H,W,3] is in the
  batch, too, and the second of the taps is added to the target's logits.
  """
  del turn  # no penalty: it is on true maps
  x, target, adversary = (
      batch['image'], batch['unlabelled_image'], method.adversary
  )
  labels = downsample_labels(batch['label'], method.segmentor.stride)
  mean = mean_over(labels, axis_name, batch.get('whole_label'))
  every = mean._replace(  # the mean over all pixels, void or not
      valid=jnp.ones_like(mean.valid), pixels=mean.images * labels[0].size
  )
  bce = smoothed(OBJECTIVES[adversary.objective], adversary.smoothing)
  logits, model_state = segment(segmentor, state, x, method, axis_name)
  # Masks and views of its own, as all that is without labels has.
  other = with_key(state, 5)
  logits_there, _ = segment(segmentor, other, target, method, axis_name)
  a = judge(discriminator, x, state, method, axis_name)
  there = judge(discriminator, target, other, method, axis_name)
  (real,) = a(jax.nn.softmax(logits))
  (fake,) = there(jax.nn.softmax(logits_there + taps[1]))
  mce, metrics = mean_cross_entropy(logits + taps[0], labels, mean, method)
  fooling = every(bce.segmentor(fake))
  two = every(bce.discriminator(real, fake))
  metrics |= {'adversarial_loss': fooling, 'discriminator_loss': two}
  metrics |= measures.certainty(real, fake, bce, every)
  one = mce + strength.of(state, adversary) * fooling
  return (one, two), (model_state, metrics)
