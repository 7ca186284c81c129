"""Guards that hold in every test, and what several tests share."""

import functools
import os
import tempfile

# Before TensorFlow is imported: it logs from C++ otherwise.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')

# Compiling is most of the time that tests take: optimise less. Values stay
# within the tolerances, and runs by the commands of the README use the default.
os.environ['XLA_FLAGS'] = ' '.join([
    os.environ.get('XLA_FLAGS', ''), '--xla_backend_optimization_level=0',
])
# Processes that are killed while they write share no programs with others.
os.environ['JAX_ENABLE_COMPILATION_CACHE'] = 'false'

import jax
import numpy as np
import pytest
import small
from toy import on_toy

from adseg_jax.config import (
    Adversary,
    Data,
    Evaluation,
    Experiment,
    Logging,
    Optimizer,
    Segmentor,
    Update,
)
from adseg_jax.data import dataset as datasets
from adseg_jax.training import parallel
from adseg_jax.training.loop import train

# Within a process, what one test has compiled is there for the next.
PROGRAMS = tempfile.TemporaryDirectory()
jax.config.update('jax_enable_compilation_cache', True)
jax.config.update('jax_compilation_cache_dir', PROGRAMS.name)
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)
jax.config.update('jax_num_cpu_devices', 8)
jax.config.update('jax_numpy_rank_promotion', 'raise')
jax.config.update('jax_debug_key_reuse', True)


@pytest.fixture
def rng():
  return np.random.default_rng(0)


@pytest.fixture(scope='session')
def prepared(tmp_path_factory):
  """A folder where prepared data sets are kept for the whole session."""
  return str(tmp_path_factory.mktemp('prepared'))


@pytest.fixture
def tiny(prepared):
  """An adversarial experiment on Earth that takes a fraction of a second."""
  return Experiment(
      name='tiny',
      data=Data(prepared=prepared, batch=8, crop=(32, 32)),
      segmentor=Segmentor(name=small.NAME, width=0.1),
      adversary=Adversary(discriminator=small.NAME, width=0.1, weight=0.1),
      optimizer=Optimizer(
          steps=6, segmentor=Update(learning_rate=0.01),
          discriminator=Update(name='adam', learning_rate=1e-3),
      ),
      evaluation=Evaluation(every=3, batch=16, panels=2),
      logging=Logging(every=2, checkpoint_every=2),
  )


@pytest.fixture(scope='module')
def compiled_once():
  """All runs of a file on the toy data set train the same networks."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(datasets.MODULES, 'toy', 'toy')
    made = functools.cache(parallel.make_train_step)
    patch.setattr(parallel, 'make_train_step', made)
    yield


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('undisturbed') / 'run'


@pytest.fixture
def whole(tiny, folder, compiled_once):
  """An undisturbed run; the first test that needs it trains it."""
  train(on_toy(tiny), folder)
  return folder
