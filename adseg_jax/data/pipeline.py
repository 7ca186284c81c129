"""The training stream: position -> example -> augmented crop -> batch.

What stands at a position depends on (seed, position) and on nothing else, so
a run resumes at any step, on any number of hosts, with the same batches.
"""

import re
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from adseg_jax import config
from adseg_jax.data.augment import augment
from adseg_jax.data.examples import Examples
from adseg_jax.errors import UserError

# Added to the seed of what is drawn of images without labels: seeds have 32
# bits, so that no run's labelled stream is another's unlabelled one.
_UNLABELLED = 2**32
# Rounds of the cipher behind the shuffle. TensorFlow's own function has 4,
# which leaves structure in permutations of few examples.
_ROUNDS = 8


def batches(
    labelled: Examples, unlabelled: Examples | None, data: config.Data, *,
    seed: int, **where,
) -> Iterator[dict[str, np.ndarray]]:
  """Batches as of `train_batches`, with as many images without labels.

  Where `unlabelled` has examples (their labels are blank), a batch has an
  'unlabelled_image' and an 'unlabelled_label', too: 0, and 255 where the crop
  lies beyond the image.
  """
  stream = train_batches(labelled, data, seed=seed, **where)
  if unlabelled is None:
    return stream
  others = train_batches(unlabelled, data, seed=seed + _UNLABELLED, **where)
  return (
      batch | {f'unlabelled_{name}': x for name, x in other.items()}
      for batch, other in zip(stream, others, strict=True)
  )


def train_batches(
    examples: Examples,
    data: config.Data,
    *,
    seed: int,
    steps: int,
    start: int = 0,
    host: int = 0,
    hosts: int = 1,
) -> Iterator[dict[str, np.ndarray]]:
  """This host's part of the batches of steps `start` to `steps` - 1.

  Args:
    examples: what an epoch visits, each example once; files are `Encoded`.
    data: batch (over all hosts) and augmentation.
    seed: the stream's seed.
    steps: the step to stop before.
    start: the first step.
    host: index of this host.
    hosts: number of hosts.

  Returns:
    An iterator over {'image': float32 [b,h,w,3] in 0..1, 'label': int32
    [b,h,w]}, b = batch / hosts; the parts of all hosts, in their order, are
    the batch of a single host.

  Raises:
    UserError: the batch can't be divided by the number of hosts; from the
      iterator: an example can't be decoded.
  """
  if data.batch % hosts:
    raise UserError(
        f'--data.batch is {data.batch}: give a multiple of the {hosts} hosts'
    )
  part = data.batch // hosts

  # Nothing in it branches on a value, and rewriting it for that takes most of
  # the time in which the stream is made.
  @tf.autograph.experimental.do_not_convert
  def load(count):
    position = count // part * data.batch + host * part + count % part
    index = shuffled(position, len(examples), seed)
    image, label = decode(
        examples.images.look_up(index), examples.labels.look_up(index)
    )
    image, label = augment(image, label, tf.stack([seed, position]), data)
    return {'image': image, 'label': label}

  stream = tf.data.Dataset.range(start * part, steps * part)
  stream = stream.map(load, tf.data.AUTOTUNE, deterministic=True)
  stream = stream.batch(part, drop_remainder=True)
  # The next is ready when the training loop, which keeps some itself, takes
  # one: more would only fill memory.
  return _named(stream.prefetch(1).as_numpy_iterator(), examples)


def _named(batches, examples: Examples):
  """The same batches; says which example a failure is about."""
  try:
    yield from batches
  except tf.errors.InvalidArgumentError as error:
    # TensorFlow puts the node's name before the reason.
    reason = re.sub(r'\{\{.*?\}\} ?', '', error.message).splitlines()[0]
    raise UserError(
        f'{_broken(examples) or "an example"} cannot be decoded ({reason}): '
        'replace the file, delete the prepared copy of the data set, and start '
        'again'
    ) from None


def _broken(examples: Examples) -> str | None:
  """Name of the first example that can't be decoded."""
  for name, *files in zip(
      examples.names, examples.images, examples.labels, strict=True
  ):
    try:
      decode(*files)
    except tf.errors.InvalidArgumentError:
      return f'example {name}'
  return None


def shuffled(position, count: int, seed: int):
  """Index of the example at a position: int64, like `position`.

  Every run of `count` positions, an epoch, is a permutation of its own.
  """
  epoch = position // count
  # The cipher reads few bits of its seed (8 for a small data set), so
  # (seed, epoch) itself would soon repeat: hash it. Augmentation takes the
  # seeds (seed, position); -1 - epoch meets none of them.
  key = tf.random.stateless_uniform(
      [3], tf.stack([seed, -1 - epoch]), None, None, tf.int32, alg='philox'
  )
  return tf.raw_ops.RandomIndexShuffle(
      index=position % count,
      seed=key,
      max_index=tf.constant(count - 1, tf.int64),
      rounds=_ROUNDS,
  )


def decode(image, label):
  """Encoded files, JPEG or PNG, grey or colour -> uint8 [H,W,3] and [H,W]."""
  # It reads PNGs, too. Pillow's transform: TensorFlow's default is off by 0.9
  # grey levels on average.
  image = tf.io.decode_jpeg(image, channels=3, dct_method='INTEGER_ACCURATE')
  return image, tf.io.decode_png(label, channels=1)[..., 0]
