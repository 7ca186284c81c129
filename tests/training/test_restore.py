import dataclasses
import json

import jax
import numpy as np
import pytest
from miniature import same

from adseg_jax import config, settings
from adseg_jax.config import Experiment, Optimizer, Update
from adseg_jax.errors import UserError
from adseg_jax.method.method import make_method
from adseg_jax.method.state import initialize
from adseg_jax.training.checkpoint import Checkpoints
from adseg_jax.training.restore import (
    describe,
    restore,
    restore_parameters,
)

CLASSES = 'a', 'b'


@pytest.fixture
def run(tiny, tmp_path):
  """(workdir, states by step), the middle one the best."""
  (tmp_path / 'experiment.json').write_text(json.dumps({
      'experiment': dataclasses.asdict(tiny),
      'dataset': {'classes': CLASSES, 'palette': [[0, 0, 0], [9, 9, 9]]},
  }))
  method = make_method(tiny, len(CLASSES))
  states = {}
  with Checkpoints(tmp_path, tiny) as checkpoints:
    for step, iou in ((1, 0.1), (2, 0.9), (3, 0.2)):
      state = initialize(jax.random.key(step), method, (32, 32))
      states[step] = state.replace(step=state.step + step)
      checkpoints.save(states[step], 1.0, {'mean_iou': iou})
  return tmp_path, states


@pytest.mark.parametrize('which,step', [('last', 3), ('best', 2), ('1', 1)])
def test_the_checkpoint_that_is_named(run, tiny, which, step):
  workdir, states = run
  before = sorted(workdir.rglob('*'))
  found = restore(workdir, which)
  assert found.step == step
  assert same(
      found.variables, {'params': states[step].segmentor.params}
  )
  assert isinstance(jax.tree.leaves(found.variables)[0], np.ndarray)
  assert found.experiment == tiny and found.classes == CLASSES
  assert found.palette == ((0, 0, 0), (9, 9, 9))
  assert sorted(workdir.rglob('*')) == before


def test_constants_come_along(run, tiny):
  workdir, _ = run
  vgg = dataclasses.replace(tiny, segmentor=config.Segmentor(
      name='fcn32s', width=0.02
  ))
  state = initialize(jax.random.key(0), make_method(vgg, 2), (32, 32))
  other = workdir / 'vgg'
  with Checkpoints(other, vgg) as checkpoints:
    checkpoints.save(state, 1.0, None)
  content = json.loads((workdir / 'experiment.json').read_text())
  content['experiment'] = dataclasses.asdict(vgg)
  (other / 'experiment.json').write_text(json.dumps(content))
  found = restore(other)
  assert set(found.variables) == {'params', 'constants'}
  assert same(found.variables, {
      'params': state.segmentor.params, **state.segmentor.model_state
  })


def test_the_average_of_the_weights(run, tiny):
  workdir, _ = run
  with pytest.raises(UserError, match='its run kept no average'):
    restore(workdir, average=True)
  averaging = dataclasses.replace(tiny, segmentor=dataclasses.replace(
      tiny.segmentor, average=100
  ))
  state = initialize(jax.random.key(0), make_method(averaging, 2), (32, 32))
  moved = jax.tree.map(lambda x: x + 1, state.segmentor.average)
  other = workdir / 'averaging'
  with Checkpoints(other, averaging) as checkpoints:
    checkpoints.save(state.replace(
        segmentor=state.segmentor.replace(average=moved)
    ), 1.0, None)
  content = json.loads((workdir / 'experiment.json').read_text())
  content['experiment'] = dataclasses.asdict(averaging)
  (other / 'experiment.json').write_text(json.dumps(content))
  assert same(restore(other, average=True).variables, moved)
  assert same(
      restore(other).variables, {'params': state.segmentor.params}
  )


@pytest.mark.parametrize('which', ['7', 'newest', '-1', ''])
def test_one_that_is_not_there(run, which):
  with pytest.raises(UserError, match=r'give last, best, or .* 1, 2, 3'):
    restore(run[0], which)


def test_a_checkpoint_of_other_shapes(run, tiny):
  path = run[0] / 'experiment.json'
  content = json.loads(path.read_text())
  content['experiment']['segmentor']['width'] = 0.2
  path.write_text(json.dumps(content))
  with pytest.raises(UserError, match='checkpoint last cannot be read'):
    restore(run[0])


def test_a_damaged_checkpoint(run):
  for path in (run[0] / 'checkpoints/3/state').rglob('*'):
    if path.is_file():
      path.write_bytes(b'x')
  with pytest.raises(UserError, match='checkpoint last cannot be read'):
    restore(run[0])
  assert restore(run[0], 'best').step == 2


@pytest.mark.parametrize('damaged', [2, 3])
def test_damaged_scores_are_no_scores(run, damaged):
  (run[0] / f'checkpoints/{damaged}/metrics/metrics').write_text('{"mean_')
  assert restore(run[0]).step == 3
  assert restore(run[0], str(damaged)).step == damaged
  assert restore(run[0], 'best').step == 5 - damaged


@pytest.mark.parametrize('content', ['{', '[]', '{"experiment": {}}'])
def test_a_damaged_description(tmp_path, content):
  (tmp_path / 'experiment.json').write_text(content)
  with pytest.raises(UserError, match='cannot be read'):
    describe(tmp_path)


def test_a_run_without_checkpoints(run, tmp_path):
  workdir = tmp_path / 'new'
  workdir.mkdir()
  (workdir / 'experiment.json').write_text(
      (run[0] / 'experiment.json').read_text()
  )
  with pytest.raises(UserError, match='train the run first'):
    restore(workdir)


def test_json_and_back():
  experiment = Experiment(
      name='x', data=config.Data(crop=(8, 16), scale=(0.5, 1.0)),
      optimizer=Optimizer(segmentor=Update(frozen=('a', 'b'))),
  )
  content = json.loads(settings.to_json(experiment))
  assert settings.from_dict(content) == experiment


def test_what_an_older_run_had_not_is_the_default():
  content = json.loads(settings.to_json(Experiment(name='x')))
  del content['data']['size'], content['optimizer']['segmentor']['frozen']
  assert settings.from_dict(content) == Experiment(name='x')
  content['data']['colour'] = 1
  with pytest.raises(UserError, match='Data has no setting colour'):
    settings.from_dict(content)


def edit(workdir, group, **changes):
  path = workdir / 'experiment.json'
  content = json.loads(path.read_text())
  content['experiment'][group] |= changes
  path.write_text(json.dumps(content))


def test_a_segmentor_of_another_script_is_one_line(run):
  workdir, _ = run
  edit(workdir, 'segmentor', name='plain')
  with pytest.raises(UserError, match=r'name plain: .*adseg_jax\.load'):
    restore(workdir)


def test_a_discriminator_of_another_script_is_not_needed(run):
  workdir, states = run
  edit(workdir, 'adversary', discriminator='shares')
  assert same(
      restore(workdir).variables, {'params': states[3].segmentor.params}
  )
  with pytest.raises(UserError, match=r'adversary.discriminator shares: '):
    restore_parameters(workdir)
