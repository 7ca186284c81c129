"""What threads compile ahead is what predictions take."""

import jax
import pytest
from networks import make_trained, picture
from small import Small

from adseg_jax.config import Data, Experiment
from adseg_jax.evaluation.inference import Views, Whole


@pytest.fixture
def compilations():
  """Names of the functions that are compiled."""
  found = []

  def listen(event, _, fun_name='', **__):
    if event.endswith('/backend_compile_duration'):
      found.append(fun_name)

  jax.monitoring.register_event_duration_secs_listener(listen)
  yield found
  jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.parametrize('size', [(0, 0), (64, 32)])
def test_a_call_finds_its_programs(rng, compilations, size):
  trained = make_trained(Small(3))._replace(
      experiment=Experiment(data=Data(size=size))
  )
  whole = Whole(trained, Views(flip=True), jax.local_devices()[:2])
  whole.compile((64, 96), 2)
  programs = [name for name in compilations if '_look' in name]
  assert programs
  whole([picture(rng, 40, 57)], (64, 96), 2)
  assert [name for name in compilations if '_look' in name] == programs
