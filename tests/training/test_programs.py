import contextlib
import dataclasses
import functools
import os
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparison import assert_equal_runs, start
from miniature import Mini
from toy import on_toy

from adseg_jax import environment
from adseg_jax.config import Experiment
from adseg_jax.losses import OBJECTIVES
from adseg_jax.training import programs, provenance
from adseg_jax.training.method import is_known, make_method
from adseg_jax.training.programs import Program

METHOD = make_method(Experiment(), 3)


@pytest.fixture(autouse=True)
def script(monkeypatch):
  """As in a script that has just begun: pytest-xdist's come from no file."""
  main = sys.modules['__main__']
  monkeypatch.setattr(main, '__file__', __file__, raising=False)
  monkeypatch.setattr(environment, 'LOADED', time.time())


@pytest.fixture
def folder(tmp_path):
  """JAX's folder of compiled programs, for the length of a test."""
  before = {name: jax.config.values[name] for name in (
      'jax_enable_compilation_cache', 'jax_compilation_cache_dir',
      'jax_disable_jit', 'jax_debug_nans', 'jax_debug_infs',
  )}
  jax.config.update('jax_enable_compilation_cache', True)
  jax.config.update('jax_compilation_cache_dir', str(tmp_path))
  yield tmp_path / 'adseg_jax'
  for name, value in before.items():
    jax.config.update(name, value)
  programs.compilation_cache.reset_cache()


class Counted:
  """x -> factor x, jitted; it counts how often it is traced."""

  def __init__(self, factor=3):
    self.traces = 0
    self.factor = factor

  def program(self, method=METHOD):
    def multiply(x):
      self.traces += 1
      return {'result': x * self.factor}

    return Program(jax.jit(multiply), method, jax.devices()[:1])


X = np.arange(3, dtype=np.float32)


@pytest.mark.usefixtures('folder')
def test_what_an_earlier_start_kept_is_found_without_tracing():
  first, second = Counted(), Counted()
  for counted in first, second:
    program = counted.program()
    for x in X, X + 1:
      np.testing.assert_array_equal(program(x)['result'], 3 * x)
  assert (first.traces, second.traces) == (1, 0)


@pytest.mark.usefixtures('folder')
def test_found_before_it_is_called():
  Counted().program()(X)
  counted = Counted()
  counted.program().prepare(X)
  assert counted.traces == 0


@pytest.mark.usefixtures('folder')
@pytest.mark.parametrize('other', [
    X[:2], X.astype(np.int32), X[None], jnp.asarray(X),
])
def test_other_arguments_are_another_program(other):
  Counted().program()(X)
  counted = Counted()
  np.testing.assert_array_equal(counted.program()(other)['result'], 3 * other)
  assert counted.traces == 1


@pytest.mark.usefixtures('folder')
def test_the_method_tells_programs_apart():
  for factor in 3, 4:
    adversary = dataclasses.replace(METHOD.adversary, weight=factor)
    method = dataclasses.replace(METHOD, adversary=adversary)
    result = Counted(factor).program(method)(X)['result']
    np.testing.assert_array_equal(result, factor * X)


@pytest.mark.usefixtures('folder')
def test_static_arguments_come_last_and_tell_programs_apart():
  power = jax.jit(lambda x, n: x**n, static_argnums=1)
  for n in 2, 3:
    program = Program(power, METHOD, jax.devices()[:1], static=(n,))
    np.testing.assert_array_equal(program(X), X**n)


@pytest.mark.usefixtures('folder')
@pytest.mark.parametrize('change', [
    lambda patch: patch.setattr(provenance, 'versions', dict),
    lambda patch: patch.setattr(environment, 'machine', str),
    lambda patch: patch.setenv('XLA_FLAGS', os.environ['XLA_FLAGS'] + ' '),
    lambda patch: patch.setenv('LIBTPU_INIT_ARGS', '--fast'),
    lambda patch: patch.setattr(provenance, 'code', lambda: 'other'),
])
def test_whatever_a_program_follows_from_tells_programs_apart(
    monkeypatch, change
):
  Counted().program()(X)
  change(monkeypatch)
  counted = Counted()
  counted.program()(X)
  assert counted.traces == 1


@pytest.mark.usefixtures('folder')
def test_a_setting_of_jax_tells_programs_apart():
  Counted().program()(X)
  counted = Counted()
  before = jax.config.jax_default_matmul_precision
  jax.config.update('jax_default_matmul_precision', 'highest')
  try:
    counted.program()(X)
  finally:
    jax.config.update('jax_default_matmul_precision', before)
  assert counted.traces == 1


def test_the_folder_may_move(folder, tmp_path):
  Counted().program()(X)
  (tmp_path / 'moved').mkdir()
  folder.rename(tmp_path / 'moved' / folder.name)
  jax.config.update('jax_compilation_cache_dir', str(tmp_path / 'moved'))
  counted = Counted()
  counted.program()(X)
  assert counted.traces == 0


def test_a_digest_tells_where_a_part_ends():
  assert provenance.digest('ab', 'c') != provenance.digest('a', 'bc')
  assert provenance.digest('ab', 'c') == provenance.digest(b'ab', b'c')


def test_code_is_that_of_the_package_and_of_the_user(tmp_path, monkeypatch):
  known = provenance.code()
  assert provenance.code() == known
  path = tmp_path / 'mine.py'
  codes = set()
  for text in 'TAU = 1', 'TAU = 2':
    path.write_text(text)
    os.utime(path, (0, 0))
    module = type(sys)('mine')
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, 'mine', module)
    codes.add(provenance.code())
  assert len(codes - {known}) == 2


def test_what_tensorflow_rewrote_is_no_code_of_the_user(monkeypatch, tmp_path):
  known = provenance.code()
  module = type(sys)('__autograph_generated_filexyz')
  module.__file__ = str(tmp_path / 'xyz.py')
  monkeypatch.setitem(sys.modules, module.__name__, module)
  assert provenance.code() == known


@pytest.mark.parametrize('prevent', [
    # Sources newer than what was loaded.
    lambda patch: patch.setattr(environment, 'LOADED', 0),
    # A session at a prompt.
    lambda patch: patch.delattr(sys.modules['__main__'], '__file__'),
])
def test_what_comes_from_unknown_source_is_not_kept(
    folder, monkeypatch, prevent
):
  prevent(monkeypatch)
  with pytest.raises(OSError):
    provenance.code()
  for counted in Counted(), Counted():
    np.testing.assert_array_equal(counted.program()(X)['result'], 3 * X)
    assert counted.traces == 1
  assert not folder.exists()


def _with_objective(patch):
  meant = OBJECTIVES['bce']
  for name in 'discriminator', 'segmentor':
    changed = meant._replace(**{name: lambda *logits: logits[0]})
    patch.setitem(OBJECTIVES, 'bce', changed)
    yield METHOD


def _with_networks(patch):
  for name in 'segmentor', 'discriminator':
    yield dataclasses.replace(METHOD, **{name: Mini()})


@pytest.mark.parametrize('foreign', [_with_objective, _with_networks])
def test_what_others_wrote_is_not_kept(folder, monkeypatch, foreign):
  """It could be made in a loop, one after the other under one name."""
  assert is_known(METHOD)
  for method in foreign(monkeypatch):
    assert not is_known(method)
    for factor in 3, 4:
      result = Counted(factor).program(method)(X)['result']
      np.testing.assert_array_equal(result, factor * X)
  assert not folder.exists()


def test_what_repr_does_not_tell_is_not_kept(folder):
  method = dataclasses.replace(METHOD, class_weights=(object(),))
  for factor in 3, 4:
    result = Counted(factor).program(method)(X)['result']
    np.testing.assert_array_equal(result, factor * X)
  assert not folder.exists()


@pytest.mark.usefixtures('folder')
def test_a_text_that_was_met_before_is_not_compiled(monkeypatch):
  Counted().program()(X)
  monkeypatch.setattr(provenance, 'code', lambda: 'another comment')
  monkeypatch.delattr(programs, '_without_cache')
  for traces in 1, 0:  # and is found at once from then on
    counted = Counted()
    result = counted.program()(X)['result']
    np.testing.assert_array_equal(result, 3 * X)
    assert counted.traces == traces


@pytest.mark.usefixtures('folder')
def test_a_program_that_cannot_be_kept_is_run_all_the_same(monkeypatch):
  """As on a device whose programs can't be written."""
  def refuse(_):
    raise ValueError('Compilation does not support serialization')

  monkeypatch.setattr(programs.serialize_executable, 'serialize', refuse)
  for _ in range(2):
    counted = Counted()
    np.testing.assert_array_equal(counted.program()(X)['result'], 3 * X)
    assert counted.traces == 1


@pytest.mark.usefixtures('folder')
def test_what_jax_s_own_cache_holds_is_kept_in_full():
  """XLA can't write a program that it has read."""
  least = jax.config.jax_persistent_cache_min_compile_time_secs
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
  x = np.ones((64, 64), np.float32)

  def function():
    return jax.jit(lambda x: jnp.sort(jnp.tanh(x @ x) + jnp.sin(x), 0).sum())

  try:
    wanted = function()(x)
    for _ in range(2):
      jax.clear_caches()
      found = Program(function(), METHOD, jax.devices()[:1])(x)
      assert found == wanted
  finally:
    jax.config.update('jax_persistent_cache_min_compile_time_secs', least)


@pytest.mark.usefixtures('folder')
def test_the_same_text_with_other_options_is_compiled(monkeypatch):
  def program(level):
    options = {'xla_backend_optimization_level': level}
    return Program(
        jax.jit(lambda x: x * x, compiler_options=options), METHOD,
        jax.devices()[:1], options=options,
    )

  program(0)(X)
  monkeypatch.setattr(provenance, 'code', lambda: 'another level')
  made = []
  monkeypatch.setattr(
      programs, '_without_cache',
      lambda: made.append(1) or contextlib.nullcontext(),
  )
  program(1)(X)
  assert made


@pytest.mark.usefixtures('folder')
def test_the_same_arithmetic_under_other_names_is_another_program(monkeypatch):
  for name in 'old', 'new':
    monkeypatch.setattr(provenance, 'code', lambda name=name: name)
    program = Program(
        jax.jit(lambda x, name=name: {name: 2 * x}), METHOD,
        jax.devices()[:1],
    )
    np.testing.assert_array_equal(program(X)[name], 2 * X)


def _cut(path):
  path.write_bytes(path.read_bytes()[:-1])


def _forge(path):
  """Whole, but no program."""
  path.unlink()
  programs.shelf.Shelf(path.parent).put(path.name, b'nothing')


@pytest.mark.parametrize('damage', [_cut, _forge, os.unlink])
def test_a_damaged_program_is_made_again(folder, damage):
  Counted().program()(X)
  for path in list(folder.iterdir()):
    damage(path)
  for traces in 1, 0:
    counted = Counted()
    np.testing.assert_array_equal(counted.program()(X)['result'], 3 * X)
    assert counted.traces == traces


@pytest.mark.usefixtures('folder')
def test_a_found_program_consumes_what_it_was_given_to_consume():
  def add(x, y):
    return x + y

  for _ in range(2):
    x, y = jnp.arange(64.0), jnp.ones((1, 64))
    program = Program(jax.pmap(
        add, in_axes=(None, 0), out_axes=None, donate_argnums=0,
        devices=jax.devices()[:1],
    ), METHOD, jax.devices()[:1])
    program(x, y)
    assert x.is_deleted()
    assert not y.is_deleted()


@pytest.mark.usefixtures('folder')
def test_all_devices_are_used_again():
  count = jax.device_count()
  assert count > 1
  for _ in range(2):
    program = Program(jax.pmap(
        functools.partial(jax.lax.psum, axis_name='batch'),
        axis_name='batch', out_axes=None,
    ), METHOD, jax.devices())
    np.testing.assert_array_equal(
        program(np.ones((count, 2), np.float32)), [count, count]
    )


@pytest.mark.parametrize('setting', [
    {'jax_enable_compilation_cache': False},
    {'jax_compilation_cache_dir': None},
    {'jax_disable_jit': True},
    {'jax_debug_nans': True},
    {'jax_debug_infs': True},
])
def test_without_a_folder_or_to_debug_it_is_the_function(folder, setting):
  for name, value in setting.items():
    jax.config.update(name, value)
  program = Counted().program()
  program.prepare(X)
  np.testing.assert_array_equal(program(X)['result'], 3 * X)
  np.testing.assert_array_equal(program(X[:2])['result'], 3 * X[:2])
  assert not folder.exists()


# Says at the end how many programs were compiled, how many were found, and
# which functions of the package were traced.
COUNTED = """
import atexit, collections, jax
from adseg_jax.training import state, step
counts, names = collections.Counter(), ('cache_misses', 'cache_hits')
jax.monitoring.register_event_listener(
    lambda event, **_: counts.update([event.split('/')[-1]])
)
meant = step.turns, state.check_layers
step.turns = lambda *a: (counts.update(['step']), meant[0](*a))[1]
state.check_layers = lambda *a: (counts.update(['state']), meant[1](*a))[1]
names += 'step', 'state'
atexit.register(lambda: print(*(counts[name] for name in names)))
"""


@pytest.mark.slow
def test_a_second_start_traces_and_compiles_nothing_and_ends_in_the_same_bits(
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
  (compiled, _, *traced), (again, found, *traced_again) = said
  # Beside the first state's and the step's, which JAX's cache does not see.
  assert compiled > 3
  assert min(traced) > 0
  assert (again, found, *traced_again) == (0, compiled, 0, 0)
  assert_equal_runs(experiment, tmp_path / 'first', tmp_path / 'second')
