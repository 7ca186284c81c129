import subprocess
import sys

import pytest
import tensorflow as tf

from adseg_jax.data.encoded import Encoded

# Zeros inside and at the end: NumPy would cut the latter off.
FILES = [bytes([index, 0, index, 0, 0]) for index in range(10)]


def test_it_is_a_sequence_for_python():
  found = Encoded(FILES)
  assert list(found) == FILES and len(found) == 10
  assert found[3] == FILES[3] and found[-1] == FILES[-1]
  with pytest.raises(IndexError):
    found[10]
  part = found[1::3]
  assert list(part) == FILES[1::3] and part[1] == FILES[4]
  found.extend([b'', b'more'])
  assert list(found) == [*FILES, b'', b'more']


def test_it_is_a_function_of_the_place_in_a_graph():
  found = Encoded(FILES)
  found.keep([7, 0, 4])
  assert list(found) == [FILES[7], FILES[0], FILES[4]]
  stream = tf.data.Dataset.range(3).map(found.look_up)
  assert list(stream.as_numpy_iterator()) == list(found)


def test_what_is_not_kept_is_gone():
  found = Encoded(FILES)
  found.keep([7, 0, 4])
  assert int(found._table.size()) == 3


MEMORY = """
import io, os
from PIL import Image
import numpy as np
from adseg_jax.config import Data
from adseg_jax.data import examples
from adseg_jax.data.dataset import Dataset
from adseg_jax.data.pipeline import train_batches

def png(shape):
  file = io.BytesIO()
  Image.fromarray(np.zeros(shape, np.uint8)).save(file, 'png')
  return file.getvalue()

image, label = png((8, 8, 3)), png((8, 8))
def stored(*_):
  for index in range(COUNT):  # a file may have more than its picture
    yield f'{index:05}', image + os.urandom(100_000), label

def peak():
  lines = open('/proc/self/status').read().splitlines()
  return 1024 * int(next(l for l in lines if l.startswith('VmHWM')).split()[1])

def start():
  found = examples.load(Dataset('x', ('a',), ((0, 0, 0),), None), '', data)
  batches = train_batches(found, data, seed=0, steps=2)
  assert len(list(batches)) == 2
  return found

examples.stored = stored
data = Data(batch=4, crop=(8, 8))
COUNT = 100
start()
before = peak()
COUNT = 2000
start()
print((peak() - before) / (COUNT * 100_000))
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='needs /proc')
def test_a_split_is_in_memory_once():
  done = subprocess.run(
      [sys.executable, '-c', MEMORY], capture_output=True, text=True
  )
  assert done.returncode == 0, done.stderr
  assert 0.7 < float(done.stdout) < 1.3
