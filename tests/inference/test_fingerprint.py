import dataclasses
import shutil
import subprocess
import sys

import jax.numpy as jnp
import pytest
from comparison import final_state, start
from toy import on_toy

from adseg_jax.commands import fingerprint as command
from adseg_jax.errors import UserError
from adseg_jax.inference import fingerprint
from adseg_jax.training.hashes import of_tree
from adseg_jax.training.restore import restore

LONG = 60


def test_every_bit_name_and_shape_counts():
  tree = {'a': jnp.arange(4.0), 'b': {'c': jnp.zeros((2, 2))}}
  others = [
      tree | {'a': tree['a'].at[3].set(jnp.nextafter(3.0, 4.0))},
      {'x': tree['a'], 'b': tree['b']},
      tree | {'b': {'c': jnp.zeros((4, 1))}},
      tree | {'a': tree['a'].astype(jnp.int32)},
  ]
  hashes = [of_tree(other) for other in [tree, *others]]
  assert len(set(hashes)) == len(hashes)
  again = {'b': dict(tree['b']), 'a': jnp.arange(4.0)}
  assert of_tree(again) == hashes[0]


@pytest.mark.usefixtures('compiled_once')
def test_the_stream_depends_on_seed_and_augmentation_alone(tiny):
  def stream(**changes):
    experiment = dataclasses.replace(on_toy(tiny), **changes)
    return fingerprint.of_data(experiment, 20)

  def data(**changes):
    return dataclasses.replace(on_toy(tiny).data, **changes)

  digest, plain = stream()
  assert stream() == (digest, plain) == stream(data=data(batch=16))
  for other in (stream(seed=1), stream(data=data(flip=False))):
    assert other[0] == digest and other[1] != plain


def test_the_command_prints_what_two_people_compare(tiny, whole, capsys):
  arguments = command.Arguments(workdir=str(whole), prepared=tiny.data.prepared)
  command.run(arguments)
  said = capsys.readouterr().out
  command.run(arguments)
  assert capsys.readouterr().out == said
  words = [line.split() for line in said.splitlines()]
  assert [line[0] for line in words] == [
      'settings', 'examples', 'stream', 'parameters', 'versions'
  ]
  assert [len(line[1]) for line in words[:4]] == [64, 16, 64, 64]
  state = final_state(on_toy(tiny), whole)
  assert words[3][1] == of_tree({
      'segmentor': state.segmentor.params,
      'discriminator': state.discriminator.params,
  })
  assert 'step 6' in said and 'jaxlib' in said


def test_workdirs_may_be_relative(tiny, whole, monkeypatch):
  monkeypatch.chdir(whole.parent)
  assert restore(whole.name).step == 6
  assert fingerprint.of_parameters(
      whole.name
  ) == fingerprint.of_parameters(whole)


def contents(folder):
  return {
      path: path.read_bytes() if path.is_file() else None
      for path in folder.rglob('*')
  }


def test_a_run_that_is_being_saved_is_left_as_it_is(tiny, whole, tmp_path):
  workdir = tmp_path / 'run'
  shutil.copytree(whole, workdir)
  saving = workdir / 'checkpoints' / '7.orbax-checkpoint-tmp'
  (saving / 'state').mkdir(parents=True)
  (saving / 'state' / 'manifest.ocdbt').write_bytes(b'half')
  before = contents(workdir)
  command.run(command.Arguments(
      workdir=str(workdir), prepared=tiny.data.prepared
  ))
  assert contents(workdir) == before


@pytest.mark.parametrize('part', ['state', 'metrics'])
def test_a_damaged_checkpoint_is_left_where_it_is(whole, tmp_path, part):
  workdir = tmp_path / 'run'
  shutil.copytree(whole, workdir)
  for path in (workdir / 'checkpoints' / '6' / part).rglob('*'):
    if path.is_file():
      path.write_bytes(b'x')
  before = contents(workdir)
  if part == 'state':
    with pytest.raises(UserError, match=r'checkpoint last cannot be read'):
      command.run(command.Arguments(workdir=str(workdir)))
  else:  # What hashes need is whole.
    assert fingerprint.of_parameters(workdir) == fingerprint.of_parameters(
        whole
    )
  assert contents(workdir) == before


def test_a_folder_without_a_run_is_one_line(tmp_path):
  with pytest.raises(UserError, match=r'no experiment\.json here'):
    command.run(command.Arguments(workdir=str(tmp_path)))


@pytest.mark.slow
@pytest.mark.usefixtures('compiled_once')
def test_fresh_processes_end_in_the_same_bits(tiny, tmp_path):
  """60 steps, one device, as a person runs it: full optimisation."""
  experiment = on_toy(tiny, steps=LONG)
  experiment = dataclasses.replace(
      experiment,
      evaluation=dataclasses.replace(experiment.evaluation, every=LONG),
      logging=dataclasses.replace(experiment.logging, checkpoint_every=LONG),
  )
  found = []
  for name in 'ab':
    process = start(
        experiment, tmp_path / name,
        "import os; os.environ['XLA_FLAGS'] = ''", devices=1,
    )
    said = process.communicate()
    assert process.returncode == 0, said
    found.append(fingerprint.of_parameters(tmp_path / name))
  assert found[0] == found[1]
  assert found[0][0] == LONG


def test_help_is_quick():
  """Neither JAX nor TensorFlow is imported before the arguments are read."""
  code = (
      'import sys; import adseg_jax.commands.fingerprint; '
      "print({'jax', 'tensorflow'} & set(sys.modules))"
  )
  done = subprocess.run(
      [sys.executable, '-c', code], capture_output=True, text=True, check=True
  )
  assert done.stdout == 'set()\n'
