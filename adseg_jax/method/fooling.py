"""What the segmentor wants of the discriminator."""

import flax.linen as nn

from adseg_jax.errors import UserError
from adseg_jax.method.precision import cast

# The discriminators' last layer: what it is given are the features.
LAST = 'logit'


def fool(a, y, s_x, fake, objective, adversary):
  """The segmentor's adversarial loss: the objective's, or feature matching.

  Symbols are those of `step.losses`; like the logits `fake`, or [B].
  """
  if adversary.feature_matching:
    return matched(*features(a, y, s_x))
  return objective.segmentor(fake)


def matched(real, fake):
  """Mean square of the difference of features [B,F]: [B].

  Salimans et al. 2016 (arXiv:1606.03498) match means over a batch. Here each
  fake map has its true one, as in pix2pixHD (arXiv:1711.11585).
  """
  return ((real - fake) ** 2).mean(-1)


def features(a, *maps):
  """What the discriminator's last layer is given: [B,F] of each map.

  Means over the map. That `a` has run on these maps before costs nothing: the
  compiler sees that the layers are the same.

  Raises:
    UserError: no layer of the discriminator has the name LAST.
  """
  found = []

  def note(call, inputs, options, context):
    if context.module.name == LAST and context.method_name == '__call__':
      x = cast(inputs[0], 'float32')
      found.append(x.reshape(len(x), -1, x.shape[-1]).mean(1))
    return call(*inputs, **options)

  with nn.intercept_methods(note):
    a(*maps)
  if len(found) != len(maps):
    raise UserError(
        f'--adversary.feature-matching: the discriminator has no layer named '
        f'{LAST}, whose input are the features: name its last layer so, or '
        'leave it out'
    )
  return found
