import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from adseg_jax.config import Data
from adseg_jax.data import pipeline
from adseg_jax.data.augment import augment
from adseg_jax.data.encoded import Encoded
from adseg_jax.data.examples import Examples
from adseg_jax.errors import UserError

DATA = Data(batch=4, crop=(16, 24))
STILL = Data(batch=3, crop=(8, 8), scale=(1.0, 1.0), flip=False, jitter=0.0)


def encode(array, kind='png', **options):
  file = io.BytesIO()
  Image.fromarray(array).save(file, kind, **options)
  return file.getvalue()


def photographs(count=7):
  """Images of different sizes and formats, with labels that fit."""
  rng = np.random.default_rng(0)
  images, labels = [], []
  for index in range(count):
    shape = (20 + index, 30 - index)
    channels = () if index % 3 == 2 else (3,)
    image = rng.integers(0, 256, (*shape, *channels), np.uint8)
    images.append(encode(image, 'jpeg' if index % 2 else 'png'))
    labels.append(encode(rng.integers(0, 5, shape, np.uint8)))
  names = tuple(f'{index:02}' for index in range(count))
  return Examples(Encoded(images), Encoded(labels), names)


def constants(count):
  """Examples whose label is their index everywhere."""
  maps = [np.full((8, 8), index, np.uint8) for index in range(count)]
  encoded = Encoded(list(map(encode, maps)))
  return Examples(encoded, encoded, tuple(map(str, range(count))))


def batches(examples, data=DATA, *, seed=0, steps=8, **options):
  return list(pipeline.train_batches(
      examples, data, seed=seed, steps=steps, **options
  ))


def orders(count, epochs, seed=0):
  """Index of the example at each position [epochs, count]."""
  positions = tf.range(epochs * count, dtype=tf.int64)
  indices = tf.function(tf.map_fn)(
      lambda position: pipeline.shuffled(position, count, seed), positions
  )
  return indices.numpy().reshape(epochs, count)


def assert_equal(left, right):
  assert len(left) == len(right)
  for one, other in zip(left, right, strict=True):
    assert one.keys() == other.keys() == {'image', 'label'}
    for key in one:
      np.testing.assert_array_equal(one[key], other[key])


def test_batches_have_shape_type_and_range():
  stream = batches(photographs())
  assert len(stream) == 8
  for batch in stream:
    assert batch['image'].shape == (4, 16, 24, 3)
    assert batch['image'].dtype == np.float32
    assert batch['image'].min() >= 0 and batch['image'].max() <= 1
    assert batch['label'].shape == (4, 16, 24)
    assert batch['label'].dtype == np.int32
    assert set(np.unique(batch['label'])) <= {0, 1, 2, 3, 4, 255}


def test_resumed_stream_is_the_tail_of_the_whole():
  whole = batches(photographs())
  for start in (0, 1, 5, 8):
    assert_equal(batches(photographs(), start=start), whole[start:])


def test_a_longer_run_begins_with_the_shorter():
  examples = photographs()
  assert_equal(batches(examples, steps=8)[:3], batches(examples, steps=3))


@pytest.mark.parametrize('hosts', [2, 4])
def test_parts_of_the_hosts_make_the_batch_of_one(hosts):
  examples = photographs()
  parts = [
      batches(examples, start=3, host=host, hosts=hosts)
      for host in range(hosts)
  ]
  assert parts[0][0]['label'].shape == (4 // hosts, 16, 24)
  joined = [
      {key: np.concatenate([part[key] for part in step]) for key in step[0]}
      for step in zip(*parts, strict=True)
  ]
  assert_equal(joined, batches(examples, start=3))


def test_indivisible_batch_is_refused():
  with pytest.raises(UserError, match=r'--data\.batch is 4.* 3 hosts'):
    pipeline.train_batches(photographs(), DATA, seed=0, steps=1, hosts=3)


def test_an_epoch_of_the_stream_visits_each_example_once():
  stream = batches(constants(7), STILL, steps=14)
  labels = np.concatenate([batch['label'] for batch in stream])
  assert (labels == labels[:, :1, :1]).all()
  epochs = labels[:, 0, 0].reshape(6, 7)
  np.testing.assert_array_equal(np.sort(epochs), [range(7)] * 6)
  np.testing.assert_array_equal(epochs, orders(7, 6))


def test_a_slow_example_keeps_its_place():
  quick = constants(7)
  slow = encode(np.zeros((1500, 1500), np.uint8))
  mixed = Examples(
      Encoded([slow, *quick.images[1:]]), Encoded([slow, *quick.labels[1:]]),
      quick.names,
  )
  data = Data(batch=1, crop=(8, 8), scale=(1.0, 1.0), flip=False, jitter=0.0)
  found = [
      batch['label'][0, 0, 0] for batch in batches(mixed, data, steps=28)
  ]
  assert found == orders(7, 4).ravel().tolist()


@pytest.mark.parametrize('count', [1, 2, 3, 16, 277])
def test_every_epoch_is_a_permutation(count):
  np.testing.assert_array_equal(
      np.sort(orders(count, 5)), [range(count)] * 5
  )


def test_each_epoch_and_each_seed_has_its_own_order():
  # 256 apart: the cipher alone sees the last byte of a seed.
  found = [
      tuple(order) for seed in (0, 256) for order in orders(30, 260, seed)
  ]
  assert len(set(found)) == len(found) == 2 * 260


def test_order_is_as_good_as_chance():
  count, epochs = 12, 300
  found = orders(count, epochs)
  seen = np.zeros((count, count))  # how often an example stands at a place
  np.add.at(seen, (np.arange(count)[None].repeat(epochs, 0), found), 1)
  follow = np.zeros((count, count))  # how often one follows another
  np.add.at(follow, (found[:, :-1], found[:, 1:]), 1)
  off = ~np.eye(count, dtype=bool)
  for table in (seen, follow[off]):
    wanted = table.mean()
    # Chi-squared per degree of freedom: 1 by chance.
    assert 0.6 < np.mean((table - wanted) ** 2 / wanted) < 1.4


def test_another_seed_is_another_stream():
  one, other = (batches(photographs(), seed=seed) for seed in (0, 1))
  assert not any(
      np.array_equal(left['image'], right['image'])
      for left, right in zip(one, other, strict=True)
  )


def test_an_example_is_cut_anew_in_every_epoch():
  stream = batches(photographs(1), steps=5)
  crops = {image.tobytes() for batch in stream for image in batch['image']}
  assert len(crops) == 20


def test_a_position_is_a_function_of_seed_and_position_alone():
  examples = photographs()
  stream = batches(examples, seed=3, steps=4)
  for position in (0, 5, 15):
    index = int(pipeline.shuffled(tf.constant(position, tf.int64), 7, 3))
    image, label = augment(
        *pipeline.decode(examples.images[index], examples.labels[index]),
        [3, position], DATA,
    )
    batch = stream[position // 4]
    np.testing.assert_array_equal(batch['image'][position % 4], image)
    np.testing.assert_array_equal(batch['label'][position % 4], label)
