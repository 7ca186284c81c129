import pytest
from comparison import assert_equal_runs, start
from toy import on_toy

from adseg_jax import environment

# Says at the end how many programs were compiled, and how many were found.
COUNTED = """
import atexit, collections, jax
counts, names = collections.Counter(), ('cache_misses', 'cache_hits')
jax.monitoring.register_event_listener(
    lambda event, **_: counts.update([event.split('/')[-1]])
)
atexit.register(lambda: print(*(counts[name] for name in names)))
"""


@pytest.mark.slow
def test_a_second_start_compiles_nothing_and_ends_in_the_same_bits(
    tiny, tmp_path, monkeypatch
):
  monkeypatch.setenv('JAX_COMPILATION_CACHE_DIR', str(tmp_path / 'programs'))
  monkeypatch.setenv('JAX_ENABLE_COMPILATION_CACHE', 'true')
  # As the commands prepare it, and undone after the test.
  monkeypatch.setenv('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '')
  monkeypatch.delenv('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS')
  environment.prepare()
  experiment, said = on_toy(tiny), []
  for name in 'first', 'second':
    process = start(experiment, tmp_path / name, COUNTED, devices=1)
    out, err = process.communicate()
    assert (err, process.returncode) == ('', 0)
    said.append([int(word) for word in out.splitlines()[-1].split()])
  (compiled, _), (again, found) = said
  assert compiled > 5
  assert (again, found) == (0, compiled)
  assert_equal_runs(experiment, tmp_path / 'first', tmp_path / 'second')
