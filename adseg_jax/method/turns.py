"""Whose turn it is: known on the host, so that each turn is a program."""

from typing import NamedTuple

import jax

from adseg_jax.config import Adversary


class Turn(NamedTuple):
  """What a step computes; static.

  Attributes:
    segmentor: whether it learns.
    discriminator: whether it learns.
    adversary: whether the segmentor's maps meet the discriminator at all.
    penalty: whether the discriminator's R1 penalty is due.
  """

  segmentor: bool
  discriminator: bool
  adversary: bool
  penalty: bool = False


def turns(step, adversary: Adversary) -> Turn:
  """Whose turn a step is.

  The segmentor goes first: training the adversary first destabilised training
  (Luc et al. 2016, as quoted by later papers). The control, lambda 0, idles
  when its adversary would learn: the same schedule. The step, 0 first, is not
  asked where all are the same.

  Raises:
    ValueError: the step decides, and is not known, as under jit.
  """
  fights, smooth = adversary.weight > 0, adversary.r1 > 0
  lazily = smooth and adversary.r1_every > 1
  if not adversary.alternate_every and not (
      fights and (adversary.start or lazily)
  ):
    return Turn(True, fights, fights, fights and smooth)
  since = _known(step) - adversary.start
  if since < 0:
    return Turn(True, False, False)
  every = adversary.alternate_every
  first = not every or since // every % 2 == 0
  second = fights and (not every or not first)
  own = own_steps(_known(step), adversary)['discriminator']
  due = second and smooth and own % adversary.r1_every == 0
  return Turn(first, second, fights, due)


def _known(step) -> int:
  try:
    return int(step)
  except jax.errors.ConcretizationTypeError:
    raise ValueError(
        'adversary.start, adversary.alternate_every and adversary.r1_every '
        'decide by the step what is computed, and under jit the step is not '
        'known: give train_step turn=turns(STEP, method.adversary), a static '
        'value'
    ) from None


def own_steps(step, adversary: Adversary):
  """{network: in how many steps before this one its turn was}.

  Counts are like the step, an int or an int32 scalar; 0 is the first.
  """
  # Products, not minima: they keep an int, for which no device is asked.
  since = (step > adversary.start) * (step - adversary.start)
  every = adversary.alternate_every
  if not every:
    return {'segmentor': step, 'discriminator': since}
  rounds, rest = since // (2 * every), since % (2 * every)
  second = rounds * every + (rest > every) * (rest - every)
  return {'segmentor': step - second, 'discriminator': second}
