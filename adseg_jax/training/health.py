"""Is the adversary winning, has it given up, is anything not finite?

Pure functions of what the training step measured: the loop asks them where
it writes a line, the report asks them again. Nothing here touches a device.
"""

from typing import NamedTuple

from adseg_jax.errors import UserError

# Steps that a state must last before it counts. Chosen.
LASTING = 500
# Share of maps that the discriminator tells rightly. Above the first nothing
# is left to teach the segmentor; below the second it does little better than
# a coin. Chosen.
WINS, GIVES_UP = 0.99, 0.55
# A healthy discriminator's loss, in nats: seen by users of an older port
# (AdvSemiSeg), whose loss of 0 meant that the adversary had won.
HEALTHY_LOSS = (0.2, 0.5)
# Updates in a row that may be dropped.
PATIENCE = 10

ADVICE = {
    'wins': 'the discriminator wins (a loss of {} to {} is healthy): try a '
    'lower --optimizer.discriminator.learning-rate, --adversary.encoding '
    'scaling, or a smaller --adversary.discriminator'.format(*HEALTHY_LOSS),
    'gives up': 'the discriminator has given up: try a higher '
    '--optimizer.discriminator.learning-rate, or a larger '
    '--adversary.discriminator',
}


class Episode(NamedTuple):
  """Steps in which the adversary was not healthy: a kind, a key of ADVICE.

  It began after the first step, and was last seen at the last.
  """

  kind: str
  first: int
  last: int


def accuracy(line: dict) -> float | None:
  """The discriminator's on real and fake maps alike; None where unknown."""
  parts = line.get('d_real_accuracy'), line.get('d_fake_accuracy')
  return None if None in parts else sum(parts) / 2


def _follow(episode: Episode | None, previous: int, line: dict):
  """The episode that is under way after a line, or None."""
  share, step, kind = accuracy(line), line['step'], None
  if share is not None:
    kind = 'wins' if share > WINS else 'gives up' if share < GIVES_UP else None
  if episode and episode.kind == kind:
    return episode._replace(last=step)
  return Episode(kind, previous, step) if kind else None


def episodes(lines: list[dict]) -> list[Episode]:
  """The episodes of LASTING steps or more in lines of training, in order."""
  found, episode, previous = {}, None, 0
  for line in lines:
    episode, previous = _follow(episode, previous, line), line['step']
    if episode and episode.last - episode.first >= LASTING:
      found[episode.kind, episode.first] = episode
  return list(found.values())


class Watch:
  """Tells the loop of each episode once, when it has lasted long enough."""

  def __init__(self, start: int = 0):
    self._episode, self._previous, self._told = None, start, None

  def see(self, step: int, values: dict) -> str | None:
    """What to say after this line of training metrics."""
    line = {'step': step} | values
    self._episode = episode = _follow(self._episode, self._previous, line)
    self._previous = step
    if not episode or episode.last - episode.first < LASTING or (
        self._told == episode[:2]
    ):
      return None
    self._told = episode[:2]
    return f'steps {episode.first} to {step}: {ADVICE[episode.kind]}'


class Streak:
  """Counts updates that were dropped one after another."""

  def __init__(self):
    self._row = 0

  def see(self, step: int, dropped) -> str | None:
    """What to say of steps up to this one: whether the update was dropped.

    Raises:
      UserError: PATIENCE in a row were.
    """
    first = step - len(dropped) + 1
    for at, bad in enumerate(dropped, first):
      self._row = self._row + 1 if bad else 0
      if self._row == PATIENCE:
        raise UserError(
            f'{PATIENCE} updates in a row were not finite, steps '
            f'{at - PATIENCE + 1} to {at}: try a lower learning rate, or '
            '--optimizer.segmentor.clip 1, in another workdir'
        )
    steps = [str(at) for at, bad in enumerate(dropped, first) if bad]
    if not steps:
      return None
    return f'not finite, update dropped: step {", ".join(steps)}'
