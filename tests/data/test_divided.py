"""Which images a run has with and without labels, and their stream."""

import dataclasses

import layouts
import numpy as np
import pytest
from test_pipeline import assert_equal
from test_pipeline import constants as shared

from adseg_jax.config import Data, Experiment, Unlabelled
from adseg_jax.data import pictures, shares, unlabelled
from adseg_jax.data.augment import augment
from adseg_jax.data.encoded import Encoded
from adseg_jax.data.labels import encode
from adseg_jax.data.pipeline import batches, shuffled, train_batches
from adseg_jax.data.unlabelled import divide, labelled
from adseg_jax.errors import UserError

STILL = Data(batch=3, crop=(8, 8), scale=(1.0, 1.0), flip=False, jitter=0.0)
TEACHES = Unlabelled(fixmatch=1.0)


def constants(count):
  """Examples whose label is their index, in tables of their own."""
  found = shared(count)
  return dataclasses.replace(found, labels=Encoded([*found.labels]))


def experiment(lessons=TEACHES, seed=0, **data):
  return Experiment(
      data=dataclasses.replace(STILL, **data), unlabelled=lessons, seed=seed
  )


def of_folder(folder, **data):
  return dataclasses.replace(experiment(), data=dataclasses.replace(
      STILL, unlabelled=str(folder), **data
  ))


@pytest.fixture
def photographs(tmp_path):
  """Two images, one of them 16-bit, of 12x16 pixels."""
  layouts.save(layouts.photo(1), tmp_path / 'more/a.png')
  deep = np.arange(12 * 16, dtype=np.uint16).reshape(12, 16) * 256
  layouts.save(pictures.Image.fromarray(deep), tmp_path / 'more/7.png')
  return tmp_path / 'more'


def test_without_a_share_nothing_changes():
  whole = constants(7)
  found, others = divide(None, whole, experiment(Unlabelled()))
  assert found is whole and others is None


@pytest.mark.parametrize('seed', [0, 5])
def test_the_others_lose_their_labels(seed):
  names = constants(8).names
  kept = shares.kept(names, 0.25, seed)
  found, others = divide(
      None, constants(8), experiment(seed=seed, labelled=0.25)
  )
  assert found.names == tuple(names[place] for place in kept)
  assert [*found.images] == [constants(8).images[place] for place in kept]
  assert [*found.labels] == [*found.images]
  rest = [place for place in range(8) if place not in kept]
  assert others.names == tuple(names[place] for place in rest)
  assert [*others.images] == [constants(8).images[place] for place in rest]
  assert [*others.labels] == [encode(np.zeros((8, 8), np.uint8))] * 6
  assert labelled(
      constants(8), experiment(seed=seed, labelled=0.25)
  ).names == found.names


def test_nothing_is_read_that_teaches_nothing():
  found, others = divide(
      None, constants(8), experiment(Unlabelled(), labelled=2)
  )
  assert len(found) == 2 and others is None


@pytest.mark.parametrize('size', [(0, 0), (6, 4)])
def test_images_of_a_folder(photographs, size):
  found, others = divide(None, constants(3), of_folder(photographs, size=size))
  assert len(found) == 3
  assert others.names == ('unlabelled/7', 'unlabelled/a')
  for place, name in enumerate(('7.png', 'a.png')):
    image = pictures.read((photographs / name).read_bytes())
    if any(size):
      image = pictures.resize(image, size)
    np.testing.assert_array_equal(
        pictures.decode(others.images[place], 'RGB'), image
    )
    blank = pictures.decode(others.labels[place], 'L')
    np.testing.assert_array_equal(blank, np.zeros(image.shape[:2]))


def test_those_of_the_split_come_before_those_of_the_folder(photographs):
  _, others = divide(None, constants(3), of_folder(photographs, labelled=2))
  assert len(others) == 3 and others.names[1:] == (
      'unlabelled/7', 'unlabelled/a'
  )


def test_a_split_has_no_use_for_its_labels(photographs, monkeypatch):
  """Its images come behind those of the training split."""
  def load(dataset, split, data):
    assert (dataset, split, data.batch) == ('toy', 'more', 3)
    return constants(5)

  monkeypatch.setattr(unlabelled, 'load', load)
  _, others = divide('toy', constants(3), of_folder(
      photographs, labelled=2, unlabelled_split='more'
  ))
  assert others.names[1:] == (
      *constants(5).names, 'unlabelled/7', 'unlabelled/a'
  )
  assert [*others.images[1:6]] == [*constants(5).images]
  assert {*others.labels[:6]} == {encode(np.zeros((8, 8), np.uint8))}


def test_the_digest_changes_with_an_image(photographs):
  def digest():
    return divide(None, constants(3), of_folder(photographs))[1].digest

  before = digest()
  assert before == digest() and len(before) == 16
  layouts.save(layouts.photo(2), photographs / 'a.png')
  assert digest() != before


def test_none_without_a_label_is_refused():
  with pytest.raises(UserError, match=r'labelled is 0\.95: all 3 .* none is'):
    divide(None, constants(3), experiment(labelled=0.95))


def test_a_broken_image_is_named(photographs):
  whole = (photographs / 'a.png').read_bytes()
  (photographs / 'a.png').write_bytes(whole[:len(whole) // 2])
  with pytest.raises(UserError, match=r"a\.png: the image can't be read"):
    divide(None, constants(3), of_folder(photographs))


def stream(start=0, steps=6, **where):
  found, others = divide(None, constants(9), experiment(labelled=1 / 3))
  data = dataclasses.replace(STILL, crop=(12, 8), batch=4)
  return list(batches(
      found, others, data, seed=3, start=start, steps=steps, **where
  ))


def test_a_batch_has_as_many_images_without_labels():
  """Void tells what of a crop lies beyond an image of 8x8."""
  for batch in stream():
    assert batch['unlabelled_image'].shape == (4, 12, 8, 3)
    beyond = batch['unlabelled_label'] == 255
    assert (beyond.sum((1, 2)) == 4 * 8).all()
    assert (batch['unlabelled_label'][~beyond] == 0).all()
    assert (batch['unlabelled_image'][beyond] == 0.5).all()
    np.testing.assert_array_equal(
        (batch['label'] == 255).sum((1, 2)), [4 * 8] * 4
    )


def test_an_epoch_visits_each_of_them_once():
  found, others = divide(None, constants(9), experiment(labelled=1 / 3))
  shown = np.concatenate([
      batch['unlabelled_image'][:, 0, 0, 0]
      for batch in batches(found, others, STILL, seed=3, steps=4)
  ]).reshape(2, 6)
  values = np.round(shown * 255).astype(int)
  wanted = sorted(int(name) for name in others.names)
  assert [sorted(epoch) for epoch in values.tolist()] == [wanted] * 2


def test_the_labelled_stream_is_what_it_is_alone():
  found, _ = divide(None, constants(9), experiment(labelled=1 / 3))
  data = dataclasses.replace(STILL, crop=(12, 8), batch=4)
  alone = list(train_batches(found, data, seed=3, steps=6))
  assert_equal([
      {name: batch[name] for name in ('image', 'label')} for batch in stream()
  ], alone)
  assert_equal(list(batches(found, None, data, seed=3, steps=6)), alone)


def assert_same(left, right):
  for one, other in zip(left, right, strict=True):
    assert one.keys() == other.keys()
    for name in one:
      np.testing.assert_array_equal(one[name], other[name])


def test_a_resumed_stream_is_the_tail_of_the_whole():
  for start in (1, 5):
    assert_same(stream(start), stream()[start:])


def test_parts_of_the_hosts_make_the_batch_of_one():
  parts = [stream(host=host, hosts=2) for host in range(2)]
  assert_same([
      {name: np.concatenate([part[name] for part in step]) for name in step[0]}
      for step in zip(*parts, strict=True)
  ], stream())


def test_draws_are_not_those_of_the_labelled_stream():
  """The same images, twice: order and crops differ."""
  examples = constants(9)
  blank = dataclasses.replace(examples)
  found = list(batches(examples, blank, STILL, seed=3, steps=6))
  assert any(
      (batch['image'] != batch['unlabelled_image']).any() for batch in found
  )
  seeds = 3, 3 + 2**32
  one, other = (
      [int(shuffled(np.int64(at), 9, seed)) for at in range(9)]
      for seed in seeds
  )
  assert one != other
  image = np.arange(20 * 20 * 3, dtype=np.uint8).reshape(20, 20, 3)
  crops = [
      augment(image, image[..., 0], [seed, 0], Data(crop=(8, 8)))[0]
      for seed in seeds
  ]
  assert not np.array_equal(*crops)
