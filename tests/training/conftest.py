import functools

import pytest
from toy import on_toy

from adseg_jax.data import dataset as datasets
from adseg_jax.training import parallel
from adseg_jax.training.loop import train


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
