import pytest

from adseg_jax.errors import UserError
from adseg_jax.training.health import ADVICE, PATIENCE, Streak, Watch, episodes


def line(step, real, fake):
  return {
      'step': step, 'kind': 'train', 'd_real_accuracy': real,
      'd_fake_accuracy': fake,
  }


def course(*parts):
  """(last step, accuracy on real, on fake) ... -> a line every 10 steps."""
  lines, step = [], 0
  for last, real, fake in parts:
    while step < last:
      step += 10
      lines.append(line(step, real, fake))
  return lines


def test_a_healthy_adversary_has_no_episode():
  assert episodes(course((3000, 0.9, 0.7))) == []
  # One side alone decides nothing: always saying real is a coin's accuracy.
  assert episodes(course((3000, 1.0, 0.2))) == []


def test_winning_for_long_is_an_episode_of_these_steps():
  lines = course((300, 0.8, 0.8), (900, 1.0, 0.995), (1000, 0.9, 0.9))
  assert episodes(lines) == [('wins', 300, 900)]
  assert episodes(course((300, 0.8, 0.8), (790, 1.0, 1.0))) == []


def test_a_coins_accuracy_is_giving_up():
  lines = course((600, 0.5, 0.5), (700, 0.9, 0.9), (1250, 1.0, 1.0))
  assert episodes(lines) == [('gives up', 0, 600), ('wins', 700, 1250)]


@pytest.mark.parametrize('unknown', [None, float('nan')])
def test_lines_without_accuracy_end_an_episode(unknown):
  lines = course((400, 1.0, 1.0), (410, unknown, unknown), (800, 1.0, 1.0))
  assert episodes(lines) == []
  assert episodes([{'step': 10, 'kind': 'train'}]) == []


def test_the_loop_is_told_once_and_says_what_to_try():
  watch, said = Watch(), {}
  for one in course((1200, 1.0, 1.0), (1300, 0.9, 0.9), (1900, 1.0, 1.0)):
    message = watch.see(one['step'], one)
    if message:
      said[one['step']] = message
  assert [*said] == [500, 1800]
  assert said[500] == f'steps 0 to 500: {ADVICE["wins"]}'
  assert all('--' in advice for advice in ADVICE.values())


def test_a_continued_run_counts_from_its_start():
  watch = Watch(start=1000)
  messages = [
      watch.see(step, line(step, 1.0, 1.0)) for step in range(1010, 1501, 10)
  ]
  assert messages[-1].startswith('steps 1000 to 1500')
  assert not any(messages[:-1])


def test_dropped_updates_are_named():
  streak = Streak()
  assert streak.see(10, [False] * 10) is None
  message = streak.see(15, [False, True, False, True, True])
  assert message == 'not finite, update dropped: step 12, 14, 15'


def test_a_row_across_lines_stops_and_is_named():
  streak = Streak()
  streak.see(8, [False] * 3 + [True] * 5)
  with pytest.raises(UserError, match=f'steps 4 to {3 + PATIENCE}:'):
    streak.see(16, [True] * 8)


def test_a_good_step_ends_a_row():
  streak = Streak()
  streak.see(9, [True] * 9)
  streak.see(10, [False])
  streak.see(19, [True] * 9)
