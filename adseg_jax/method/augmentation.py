"""What the discriminator is shown instead of a map and its image.

Zhao et al. 2020 (arXiv:2006.10738): where true and fake maps are changed alike,
by what has a gradient, a discriminator can't learn a few true maps by heart and
the segmentor does not learn the changes. A map and its image change together.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# Shares of a side: the farthest translation, and a hole. As Zhao et al.
FARTHEST, HOLE = 1 / 8, 1 / 2


class Change(NamedTuple):
  """What is done to each image and its maps, in cells of the map.

  Attributes:
    flip: bool [B], left to right.
    shift: int32 [B,2], down and to the right.
    first, last: int32 [B,2], the hole's first row and column, and those behind
      it.
  """

  flip: jax.Array
  shift: jax.Array
  first: jax.Array
  last: jax.Array


def draw(keys, cells: tuple[int, int], kinds: tuple[str, ...]) -> Change:
  """A change for each of the typed keys [B], of maps of a size in cells.

  What is not among `kinds`, of flip, translation and cutout, stays.
  """
  cells = jnp.array(cells)

  def one(key):
    side, way, place = jax.random.split(key, 3)
    flip = jax.random.bernoulli(side) & ('flip' in kinds)
    far = jnp.int32(cells * FARTHEST + 0.5) * ('translation' in kinds)
    shift = jax.random.randint(way, (2,), -far, far + 1)
    hole = jnp.int32(cells * HOLE + 0.5) * ('cutout' in kinds)
    first = jax.random.randint(place, (2,), 0, cells) - hole // 2
    return Change(flip, shift, first, first + hole)

  return jax.vmap(one)(keys)


def changed(x, change: Change, scale: int):
  """Maps or images [B,H,W,C], of `scale` pixels a cell, after their change.

  0 comes in from outside.
  """
  size = x.shape[1:3]
  rows, columns = _selections(size, change, scale)
  # Products: exact for zeros and ones, and no scatter in the gradient.
  x = jnp.einsum('bij,bjwc->biwc', rows, x, precision='highest')
  x = jnp.einsum('bij,bhjc->bhic', columns, x, precision='highest')
  return jnp.where(hole(size, change, scale)[..., None], 0, x)


def returned(x, change: Change):
  """[B,h,w] of changed maps, where the cells were; 0 of what was moved out."""
  rows, columns = _selections(x.shape[1:], change, 1)
  x = jnp.einsum('bij,biw->bjw', rows, x, precision='highest')
  return jnp.einsum('bij,bhi->bhj', columns, x, precision='highest')


def hole(size: tuple[int, int], change: Change, scale: int):
  """bool [B,*size]: the pixels of each image that are in its hole."""
  first, last = scale * change.first, scale * change.last
  return (
      _between(size[0], first[:, 0], last[:, 0])[:, :, None]
      & _between(size[1], first[:, 1], last[:, 1])[:, None, :]
  )


def _selections(size, change: Change, scale: int):
  """float32 [B,n,n] of rows and columns: in i lies what was at j, if it is 1.
  """
  rows, columns = (
      jax.nn.one_hot(jnp.arange(side)[None] - scale * shift[:, None], side)
      for side, shift in zip(size, change.shift.T, strict=True)
  )
  # Mirrored first: a column is then taken from the other end.
  flipped = change.flip[:, None, None]
  return rows, jnp.where(flipped, columns[:, :, ::-1], columns)


def _between(size: int, first, last):
  """bool [B,size]: first <= i < last."""
  places = jnp.arange(size)[None]
  return (places >= first[:, None]) & (places < last[:, None])
