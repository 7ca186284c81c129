"""How long a run takes, its pace, and how much of it data was waited for."""

import contextlib
import time

# Share of the time above which a run is told that it waits for data, and for
# how many steps it must last. Chosen.
MUCH = 0.2
LASTING = 50


class Clock:
  """Wall time of a run over all its starts, and the pace between two laps."""

  def __init__(self, batch: int, seconds: float = 0.0):
    """`batch` images per step; `seconds` that earlier starts took."""
    self.batch = batch
    self._begun = time.monotonic() - seconds
    self.skip()

  @property
  def seconds(self) -> float:
    """Wall time of training so far, evaluations and compilation included."""
    return time.monotonic() - self._begun

  def skip(self):
    """Leaves what came since the last lap out of the pace."""
    self._steps, self._since, self._waited = 0, time.monotonic(), 0.0

  def step(self):
    """Counts a step."""
    self._steps += 1

  @contextlib.contextmanager
  def waiting(self):
    """Around what the devices stand idle for."""
    begun = time.monotonic()
    try:
      yield
    finally:
      self._waited += time.monotonic() - begun

  def lap(self) -> dict[str, float]:
    """Since the last lap: 'images_per_second' and 'waiting', 0 to 1.

    'waiting' is the share of the time in which data was waited for; both are
    nan where no step was counted. 'seconds' is the run's so far.
    """
    passed = time.monotonic() - self._since if self._steps else float('nan')
    found = {
        'images_per_second': self.batch * self._steps / passed,
        'waiting': self._waited / passed, 'seconds': self.seconds,
    }
    self.skip()
    return found


class Starvation:
  """Tells the loop, once, that its devices wait for data."""

  def __init__(self, start: int = 0):
    self._fed = start  # the last step at which little was waited for
    self._told = False

  def see(self, step: int, values: dict) -> str | None:
    """What to say after this line of training metrics."""
    if not values['waiting'] > MUCH:
      self._fed = step
    if self._told or step - self._fed < LASTING:
      return None
    self._told = True
    return (
        f'steps {self._fed} to {step}: more than {MUCH:.0%} of the time goes '
        'in waiting for images: try more CPU cores for each device, or '
        '--data.size with a smaller height and width'
    )
