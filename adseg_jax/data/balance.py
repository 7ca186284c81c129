"""Weights of classes: given, or from how often each is in the images."""

import math

import numpy as np

from adseg_jax.config import Data
from adseg_jax.data.pictures import decode
from adseg_jax.data.threads import in_threads
from adseg_jax.errors import UserError

_MOST = 1e6  # a finite gradient must stay one


def class_weights(
    labels, num_classes: int, exponent: float
) -> tuple[float, ...]:
  """(1 / frequency) ** exponent, scaled to a mean of 1 over pixels.

  The frequency of a class is its share of the pixels that have a class, in
  the images where it is present (Eigen and Fergus 2015, arXiv:1411.4734; as
  quoted by later papers). Their median frequency is a factor of all weights,
  so that the scaling takes it out. A mean of 1 keeps the loss, and with it
  lambda, on the scale that it has without weights.

  Args:
    labels: encoded 8-bit grey PNG files of class ids, 255 void.
    num_classes: C.
    exponent: 0 weighs all alike, 1 balances in full.

  Returns:
    C numbers; a class that is in no image weighs 1.
  """
  def count(label):
    return np.bincount(decode(label, 'L').ravel(), minlength=256)

  counts = np.array(list(in_threads(count, labels)))[:, :num_classes]
  pixels = counts.sum(0)
  here = (counts > 0) * counts.sum(1, keepdims=True)
  seen = pixels > 0
  frequency = pixels[seen] / here.sum(0)[seen]
  balanced = frequency**-exponent
  weights = np.ones(num_classes)
  weights[seen] = balanced / np.average(balanced, weights=pixels[seen])
  return tuple(weights.tolist())


def given_weights(data: Data, classes: tuple[str, ...]) -> tuple[float, ...]:
  """`data.class_weights` in the order of the classes; none where none is given.

  Args:
    data: its class_weights are numbers for all classes, or NAME=NUMBER for
      some; the others weigh 1.
    classes: names.

  Raises:
    UserError: a name, a number or their count can't be used, or the classes
      are balanced, too.
  """
  words = list(map(str, data.class_weights))
  whole = ' '.join(words)
  if not words:
    return ()
  if data.balance:
    raise _wrong(whole, f'--data.balance is {data.balance}, too: give one')
  if any('=' in word for word in words):
    weights = _by_name(words, classes)
  elif len(words) == len(classes):
    weights = [_weight(word, word) for word in words]
  else:
    raise _wrong(
        whole, f'{len(words)} for {len(classes)} classes: give a number for '
        f'each of {", ".join(classes)}, or NAME=NUMBER'
    )
  if not any(weights):
    raise _wrong(whole, 'no class counts: give one above 0')
  return tuple(weights)


def _by_name(words, classes) -> list[float]:
  weights = {}
  for word in words:
    name, _, number = word.rpartition('=')
    if name not in classes:
      raise _wrong(
          word, f'no class has the name {name!r}: give NAME=NUMBER with one of '
          + ', '.join(classes)
      )
    if name in weights:
      raise _wrong(word, f'{name} has a weight already: give one of them')
    weights[name] = _weight(number, word)
  return [weights.get(name, 1.0) for name in classes]


def _weight(number: str, word: str) -> float:
  try:
    found = float(number)
  except ValueError:
    found = math.nan
  if not 0 <= found <= _MOST:
    raise _wrong(
        word, f'{number or "nothing"} is no weight: give 0 to {_MOST:g}'
    )
  return found


def _wrong(words: str, what: str) -> UserError:
  return UserError(f'--data.class-weights {words}: {what}')
