"""A trained network's variables, for a network of other classes.

Where a side of an array grows with the number of classes, each class has as
many places of it, one class behind the other: a class layer's outputs, or what
a context module has between class maps.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from adseg_jax.errors import UserError


def places(segmentor, size: tuple[int, int]):
  """How many places of each side of a network's arrays a class has.

  The same network with one class more tells: none need name its class layers.

  Returns:
    Its variables on images of a size, with a tuple of integers for each array,
    0 where a side has nothing to do with classes.

  Raises:
    UserError: a side has more places than those of classes.
  """
  classes = segmentor.num_classes

  def shapes(number):
    init = functools.partial(
        segmentor.clone(num_classes=number).init, train=False
    )
    return jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, *size, 3)))

  def counts(path, one, more):
    found = tuple(np.subtract(more.shape, one.shape).tolist())
    if any(n and n * classes != side for n, side in zip(
        found, one.shape, strict=True
    )):
      raise UserError(
          f'{type(segmentor).__name__}: which part of '
          f'{jax.tree_util.keystr(path)} {one.shape} belongs to which of '
          f'{classes} classes is not known: give a run of the same classes'
      )
    return found

  return jax.tree_util.tree_map_with_path(
      counts, shapes(classes), shapes(classes + 1)
  )


def adopted(fresh, trained, counts, pairs):
  """Fresh variables, with trained ones of other classes where both have places.

  What comes from a new class has no weight at first in what was there before.

  Args:
    fresh: a network's variables as they are initialised.
    trained: those of the same network with its own classes.
    counts: what `places` gives.
    pairs: (number here, number there) of each class that both have.
  """
  here, there = np.reshape(np.array(pairs, int), (-1, 2)).T

  def leaf(new, old, count):
    if not any(count):
      return jnp.array(old)  # a copy: a step overwrites its state's memory
    target, source = (
        [_places(*one, known) for one in zip(array.shape, count, strict=True)]
        for array, known in ((new, here), (old, there))
    )
    array = np.array(new)
    array[..., target[-1]] = 0
    array[np.ix_(*target)] = old[np.ix_(*source)]
    return jnp.asarray(array)

  return jax.tree.map(leaf, fresh, trained, counts)


def _places(side: int, count: int, classes):
  """Indices of classes along a side where each has so many places."""
  if not count:
    return np.arange(side)
  return (classes[:, None] * count + np.arange(count)).ravel()
