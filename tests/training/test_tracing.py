import contextlib

import jax
import pytest
from etils import epath

from adseg_jax.errors import UserError
from adseg_jax.training import tracing
from adseg_jax.training.loop import train


@pytest.fixture
def traced(monkeypatch, tmp_path):
  """A function: dispatches steps, and gives what it traced and said.

  Its arguments: steps that compile, steps that an end comes after, the last.
  """
  def run(compiling, ends=(), last=12):
    on, found, said = [], [], []
    monkeypatch.setattr(jax.profiler, 'start_trace', lambda *_, **__: (
        on.append(True), found.append([])
    ))
    monkeypatch.setattr(jax.profiler, 'stop_trace', on.pop)
    with contextlib.closing(
        tracing.Tracing(epath.Path(tmp_path), said.append)
    ) as trace:
      for step in range(1, last + 1):
        with trace.step(step, step in compiling, None):
          if on:
            found[-1].append(step)
        if step in ends:
          trace.end()
    assert not on
    return found, said

  return run


@pytest.mark.parametrize('compiling,ends,last,wanted', [
    ([1], [], 12, [[4, 5, 6]]), ([1], [5], 12, [[4, 5]]),
    ([1], [], 5, [[4, 5]]), ([1, 2], [], 12, [[5, 6, 7]]),
    ([1, 6], [], 12, [[4, 5], [9, 10, 11]]),
    ([1, 9], [], 12, [[4, 5, 6], [12]]), ([1], [], 3, []),
])
def test_steps_after_compilation_are_traced(
    traced, tmp_path, compiling, ends, last, wanted
):
  found, said = traced(compiling, ends, last)
  assert found == wanted
  assert said == [
      f'Traced steps {steps[0]} to {steps[-1]}: {tmp_path}' for steps in wanted
  ] or (not wanted and 'No step was traced' in said[0])


def test_a_trace_that_cannot_be_written_ends_nothing(tmp_path):
  said = []
  (tmp_path / 'file').touch()
  trace = tracing.Tracing(tmp_path / 'file' / 'profile', said.append)
  for step in range(1, 9):
    with trace.step(step, step == 1, None):
      pass
  trace.close()
  (message,) = said
  assert 'no trace could be written' in message and '\n' not in message


def test_a_trace_lies_on_a_disk(tiny):
  with pytest.raises(UserError, match=r'--profile .*gs://bucket/run'):
    train(tiny, epath.Path('gs://bucket/run'), profile=True)
