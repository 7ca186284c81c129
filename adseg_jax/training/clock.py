"""How long a run takes, and how many images it trains on per second."""

import time


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
    self._steps, self._since = 0, time.monotonic()

  def step(self):
    """Counts a step."""
    self._steps += 1

  def lap(self) -> dict[str, float]:
    """'seconds' so far and 'images_per_second' since the last lap."""
    passed = time.monotonic() - self._since
    pace = self.batch * self._steps / passed if self._steps else float('nan')
    self.skip()
    return {'images_per_second': pace, 'seconds': self.seconds}
