import gc
import importlib
import os
import sys

import pytest

from adseg_jax import environment
from adseg_jax.training import run


@pytest.fixture
def bare(monkeypatch, tmp_path):
  """An environment that says nothing, and a home of its own."""
  for name in (
      'JAX_COMPILATION_CACHE_DIR', 'TF_CPP_MIN_LOG_LEVEL',
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS',
  ):
    monkeypatch.setenv(name, '')
    monkeypatch.delenv(name)
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


@pytest.mark.usefixtures('bare')
def test_programs_are_kept_in_the_cache_folder_of_the_user(tmp_path):
  environment.prepare()
  folder = os.environ['JAX_COMPILATION_CACHE_DIR']
  assert folder == str(environment.programs())
  assert folder.startswith(str(tmp_path / 'cache/adseg_jax'))
  assert os.path.isdir(folder)
  assert os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] == '0'


@pytest.mark.usefixtures('bare')
def test_what_the_user_says_stays(monkeypatch):
  monkeypatch.setenv('JAX_COMPILATION_CACHE_DIR', 'gs://bucket/programs')
  monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', '0')
  monkeypatch.setenv('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '5')
  environment.prepare()
  assert os.environ['JAX_COMPILATION_CACHE_DIR'] == 'gs://bucket/programs'
  assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == '0'
  assert os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] == '5'


@pytest.mark.usefixtures('bare')
def test_a_home_that_cannot_be_written_is_no_mistake(tmp_path):
  (tmp_path / 'cache').write_text('a file')
  environment.prepare()
  assert 'JAX_COMPILATION_CACHE_DIR' not in os.environ


@pytest.mark.usefixtures('bare')
def test_without_a_home_nothing_is_kept(monkeypatch, tmp_path):
  monkeypatch.delenv('XDG_CACHE_HOME')
  monkeypatch.setenv('KERAS_HOME', '')
  monkeypatch.delenv('KERAS_HOME')
  monkeypatch.setattr(os.path, 'expanduser', lambda path: path)
  monkeypatch.chdir(tmp_path)
  environment.prepare()
  assert environment.programs() is None
  assert 'JAX_COMPILATION_CACHE_DIR' not in os.environ
  assert os.environ['KERAS_HOME'] == os.devnull
  assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures('bare')
def test_another_number_of_cores_keeps_programs_of_its_own(monkeypatch):
  here = environment.programs()
  monkeypatch.setattr(environment, 'cores', lambda: 1000)
  assert environment.programs() != here


@pytest.mark.parametrize('on', [True, False])
def test_the_garbage_collector_waits_for_imports(monkeypatch, on):
  done = []
  for name in ('disable', 'freeze', 'enable'):
    monkeypatch.setattr(gc, name, lambda name=name: done.append(name))
  monkeypatch.setattr(gc, 'isenabled', lambda: on)
  with pytest.raises(ImportError), environment.importing():
    monkeypatch.setitem(sys.modules, 'a_new_module', gc)
    raise ImportError
  last = ['enable'] * on
  assert done == ['disable', 'freeze', *last]
  # A second time nothing is imported: what lives now may become garbage.
  done.clear()
  with environment.importing():
    importlib.import_module('gc')
  assert done == ['disable', *last]


def test_the_record_has_the_cores_that_a_run_may_use(monkeypatch):
  monkeypatch.setattr(environment, 'cores', lambda: 3)
  assert run.devices() == '8 x cpu (3 cores)'
