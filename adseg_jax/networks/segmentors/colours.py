"""What pretrained weights expect of the colours that they see."""

import jax.numpy as jnp

# The collection of variables that no step changes. The mean is one, since it
# comes with pretrained weights. The order of the colours and their scale fold
# into the first kernel; the mean does not: 'same' convolution pads with zeros,
# so the colour beyond the border is the mean that was subtracted.
CONSTANTS = 'constants'


def standardized(module, images, mean, deviation):
  """(images [B,H,W,3] in 0..1 - mean) / deviation, both of each colour.

  The module, in its compact method, gets the variable `mean`, which is the
  given one without pretrained weights.
  """
  mean = module.variable(CONSTANTS, 'mean', lambda: jnp.asarray(mean)).value
  deviation = jnp.asarray(deviation).reshape(1, 1, 1, 3)
  return (images - mean.reshape(1, 1, 1, 3)) / deviation
