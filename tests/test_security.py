"""What files from elsewhere, and a run, must not be able to do."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from layouts import voc

from adseg_jax.config import Data
from adseg_jax.data import voc2012
from adseg_jax.errors import UserError

PACKAGE = Path(__file__).parents[1] / 'adseg_jax'
# The module that reads .pth files has an Unpickler of its own, which refuses
# whatever is no tensor.
MAY_UNPICKLE = {'networks/pretrained/pth.py'}
RUNS_CODE = {
    'pickle', 'cPickle', 'dill', 'cloudpickle', 'joblib', 'marshal', 'shelve',
    'torch', 'yaml',
}


def test_nothing_unpickles_unknown_code():
  for path in PACKAGE.rglob('*.py'):
    name = path.relative_to(PACKAGE).as_posix()
    for node in ast.walk(ast.parse(path.read_text('utf-8'))):
      imported = {
          ast.Import: lambda n: {a.name.split('.')[0] for a in n.names},
          ast.ImportFrom: lambda n: {(n.module or '').split('.')[0]},
      }.get(type(node), lambda n: set())(node)
      assert not imported & RUNS_CODE or name in MAY_UNPICKLE, name
      if isinstance(node, ast.Call):
        called = getattr(node.func, 'id', '')
        assert called not in ('eval', 'exec'), (name, node.lineno)
        for keyword in node.keywords:
          allows = getattr(keyword.value, 'value', True) is not False
          assert keyword.arg != 'allow_pickle' or not allows, name


@pytest.mark.parametrize('name', ['../../secret', '/etc/passwd', 'a/b'])
def test_a_list_does_not_lead_out_of_its_folder(tmp_path, name):
  voc(tmp_path)
  found, = tmp_path.rglob('Segmentation/train.txt')
  with found.open('a') as file:
    file.write(f'{name}\n')
  with pytest.raises(UserError, match='is no name of an image') as caught:
    voc2012.originals(Data('voc2012', root=str(tmp_path)))
  assert str(found) in str(caught.value)


WATCHED = """
import json, sys
reached = []

def watch(event, arguments):
  if event == 'socket.connect' and not isinstance(arguments[1], (str, bytes)):
    reached.append(str(arguments[1]))
  if event in ('socket.getaddrinfo', 'socket.gethostbyname'):
    reached.append(str(arguments[0]))
  if event == 'pickle.find_class':
    reached.append('.'.join(arguments))

sys.addaudithook(watch)
import dataclasses
import small
from adseg_jax.commands import cli
from adseg_jax.config import Adversary, Segmentor
sys.argv[1:] = ['--smoke', '--workdir', sys.argv[1]]
sys.path.insert(0, 'experiments')
import earth
try:
  cli.run(dataclasses.replace(
      earth.EXPERIMENT, segmentor=Segmentor(name=small.NAME),
      adversary=Adversary(discriminator=small.NAME),
  ), '')
finally:
  print(json.dumps(reached))
"""


@pytest.mark.slow
def test_a_run_reaches_for_no_network_and_no_pickle(tmp_path, prepared):
  done = subprocess.run(
      [sys.executable, '-c', WATCHED, tmp_path / 'run'],
      capture_output=True, text=True, cwd=PACKAGE.parent,
      env=os.environ | {
          'TFDS_DATA_DIR': prepared, 'PYTHONPATH': str(Path(__file__).parent),
      },
  )
  assert done.returncode == 0, done.stderr
  assert (tmp_path / 'run' / 'smoke' / 'scores.json').exists()
  assert json.loads(done.stdout.splitlines()[-1]) == []
