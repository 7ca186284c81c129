"""The scripts of docs/extending.md do what they say."""

import dataclasses
import functools
import importlib.util
import io
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pages import blocks
from PIL import Image

from adseg_jax.data import dataset as datasets
from adseg_jax.data.examples import load
from adseg_jax.method.losses import OBJECTIVES
from adseg_jax.method.method import make_method
from adseg_jax.method.state import initialize
from adseg_jax.method.step import train_step
from adseg_jax.networks.discriminators import DISCRIMINATORS
from adseg_jax.networks.segmentors import SEGMENTORS, at_pixels

PAGE = Path(__file__).parents[1] / 'docs' / 'extending.md'
TABLES = {
    'smooth': OBJECTIVES, 'plain': SEGMENTORS, 'shares': DISCRIMINATORS,
    'discs': datasets.MODULES,
}


@pytest.fixture
def script(tmp_path, monkeypatch):
  """Imports the page's script of a name; its entry is taken out at the end."""
  def found(name):
    text, = [
        one for one in blocks(PAGE.read_text(), 'python')
        if f"name='{name}'" in one
    ]
    path = tmp_path / f'{name}.py'
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(TABLES[name], name, None)
    spec.loader.exec_module(module)
    return module
  return found


def test_the_loss_is_least_at_nine_tenths(script):
  objective = OBJECTIVES[script('smooth').EXPERIMENT.adversary.objective]
  sure = jnp.log(jnp.float32(9))  # 0.9
  value, slope = jax.value_and_grad(objective.discriminator)(sure, 0.0)
  entropy = -0.9 * np.log(0.9) - 0.1 * np.log(0.1)
  np.testing.assert_allclose(value, entropy + np.log(2), rtol=1e-6)
  assert abs(slope) < 1e-6
  assert jax.grad(objective.segmentor)(sure) < 0


def test_the_segmentor_sees_a_picture_alone_and_no_further(script, rng):
  segmentor = make_method(script('plain').EXPERIMENT, 3).segmentor
  picture = jnp.asarray(rng.random((1, 13, 9, 3)), jnp.float32)
  variables = jax.jit(functools.partial(segmentor.init, train=False))(
      jax.random.key(0), picture
  )
  apply = jax.jit(functools.partial(segmentor.apply, variables, train=False))
  canvas = jnp.asarray(rng.random((1, 16, 20, 3)), jnp.float32)
  canvas = canvas.at[:, :13, :9].set(picture)
  among = apply(canvas, sizes=np.array([[13, 9]], np.int32))
  np.testing.assert_allclose(among[:, :7, :5], apply(picture), atol=1e-6)

  @jax.jit
  @jax.grad
  def pixel(images):
    return at_pixels(apply(images), segmentor.stride, (64, 64))[0, 32, 33].sum()

  image = jnp.asarray(rng.random((1, 64, 64, 3)), jnp.float32)
  reach = np.argwhere(pixel(image)[0].any(-1)) - (32, 33)
  assert 0 < np.abs(reach).max() <= segmentor.radius


def test_both_networks_learn_by_a_step(script):
  loss, segmentor = script('smooth').EXPERIMENT, script('plain').EXPERIMENT
  experiment = script('shares').EXPERIMENT
  method = make_method(dataclasses.replace(
      experiment, segmentor=segmentor.segmentor,
      adversary=dataclasses.replace(
          experiment.adversary, objective=loss.adversary.objective
      ),
  ), 3)
  state = initialize(jax.random.key(0), method, (16, 16))
  batch = {'image': jnp.full((2, 16, 16, 3), 0.5),
           'label': jnp.zeros((2, 16, 16), jnp.int32)}
  after, metrics = jax.jit(functools.partial(train_step, method=method))(
      state, batch
  )
  assert metrics['dropped'] == 0 and metrics['discriminator_loss'] > 0
  for name in 'segmentor', 'discriminator':
    before, now = getattr(state, name).params, getattr(after, name).params
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), before, now)
    assert any(jax.tree.leaves(moved)), name


def test_the_data_set_is_read(script, tmp_path):
  data = script('discs').EXPERIMENT.data
  data = dataclasses.replace(data, prepared=str(tmp_path / 'prepared'))
  dataset = datasets.find(data)
  training = load(dataset, dataset.train, data)
  validation = load(dataset, dataset.validation, data)
  assert (len(training), len(validation)) == (64, 16)
  label = np.asarray(Image.open(io.BytesIO(training.labels[0])))
  assert label.shape == (96, 96) and set(label.flat) == {0, 1}
