"""Whose turn it is: known on the host, so that each turn is a program."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from adseg_jax.config import Adversary


class Turn(NamedTuple):
  """What a step computes; static.

  Attributes:
    segmentor: whether it learns.
    discriminator: whether it learns.
    adversary: whether the segmentor's maps meet the discriminator at all.
  """

  segmentor: bool
  discriminator: bool
  adversary: bool


def turns(step, adversary: Adversary) -> Turn:
  """Whose turn a step is.

  The segmentor goes first: training the adversary first destabilised training
  (Luc et al. 2016, as quoted by later papers). The control, lambda 0, idles
  when its adversary would learn: the same schedule.

  Args:
    step: 0 first; not asked where every step is the same.
    adversary: its start and alternate_every.

  Raises:
    ValueError: the step decides, and is not known, as under jit.
  """
  fights = adversary.weight > 0
  if not adversary.alternate_every and not (fights and adversary.start):
    return Turn(True, fights, fights)
  since = _known(step) - adversary.start
  if since < 0:
    return Turn(True, False, False)
  if not adversary.alternate_every:
    return Turn(True, True, True)
  first = since // adversary.alternate_every % 2 == 0
  return Turn(first, fights and not first, fights)


def _known(step) -> int:
  try:
    return int(step)
  except jax.errors.ConcretizationTypeError:
    raise ValueError(
        'adversary.start and adversary.alternate_every decide by the step '
        'which networks learn, and under jit the step is not known: give '
        'train_step turn=turns(STEP, method.adversary), a static value'
    ) from None


def own_steps(step, adversary: Adversary):
  """In how many steps before this one each network's turn was.

  Args:
    step: int32 scalar, 0 first.
    adversary: its start and alternate_every.

  Returns:
    {network: count}, like `step`.
  """
  alone = jnp.minimum(step, adversary.start)
  since = step - alone
  every = adversary.alternate_every
  if not every:
    return {'segmentor': step, 'discriminator': since}
  rounds, rest = since // (2 * every), since % (2 * every)
  return {
      'segmentor': alone + rounds * every + jnp.minimum(rest, every),
      'discriminator': rounds * every + jnp.maximum(rest - every, 0),
  }
