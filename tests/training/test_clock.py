import math
import re

import pytest

from adseg_jax.training import clock


@pytest.fixture
def now(monkeypatch):
  """The time, in a list: seconds that the test sets."""
  time = [100.0]
  monkeypatch.setattr(clock.time, 'monotonic', lambda: time[0])
  return time


def wait(timer, now, seconds):
  with timer.waiting():
    now[0] += seconds


def test_a_lap_gives_pace_and_share_of_waiting_since_the_last(now):
  timer = clock.Clock(8, seconds=50.0)
  for _ in range(5):
    wait(timer, now, 0.5)
    now[0] += 1.5
    timer.step()
  assert timer.lap() == {
      'images_per_second': 4.0, 'waiting': 0.25, 'seconds': 60.0
  }
  now[0] += 2
  timer.step()
  assert timer.lap() == {
      'images_per_second': 4.0, 'waiting': 0.0, 'seconds': 62.0
  }


def test_what_is_skipped_counts_in_no_share(now):
  timer = clock.Clock(8)
  wait(timer, now, 9)
  timer.skip()
  wait(timer, now, 1)
  now[0] += 3
  timer.step()
  assert timer.lap()['waiting'] == 0.25


def test_a_wait_that_fails_has_been_waited(now):
  timer = clock.Clock(8)
  with pytest.raises(KeyError), timer.waiting():
    now[0] += 1
    raise KeyError
  now[0] += 1
  timer.step()
  assert timer.lap()['waiting'] == 0.5


def test_without_a_step_nothing_is_known(now):
  timer = clock.Clock(8)
  now[0] += 3
  lap = timer.lap()
  assert math.isnan(lap['waiting']) and math.isnan(lap['images_per_second'])


def said(shares, every=10, start=0):
  """Step -> what is said, for a line of each share."""
  starvation = clock.Starvation(start)
  lines = enumerate(shares, 1)
  found = {
      start + every * line:
          starvation.see(start + every * line, {'waiting': share})
      for line, share in lines
  }
  return {step: text for step, text in found.items() if text}


def test_lasting_hunger_is_told_once():
  found = said([0.1, *[0.5] * 20, 0.0, *[0.9] * 20])
  assert list(found) == [10 + clock.LASTING]
  assert re.match(r'steps 10 to 60: more than 20% of the time .*--data\.size',
                  found[60])


@pytest.mark.parametrize('shares', [
    [0.2] * 50, [0.0] * 50, [0.9, 0.9, 0.9, 0.9, 0.1] * 10,
    [math.nan] * 50, [0.9] * 4,
])
def test_nothing_is_said_of_less(shares):
  assert not said(shares)


def test_steps_of_an_earlier_start_do_not_count():
  assert list(said([0.9] * 9, start=1000)) == [1000 + clock.LASTING]
