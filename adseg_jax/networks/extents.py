"""Pictures of many sizes on one canvas, each as if it were alone.

A program compiles for one size, so smaller pictures are laid on a larger
canvas. Every layer that looks beyond a pixel must find at a picture's end what
it finds at the end of an image: zeros where a 'same' convolution pads, the
last pixel where bilinear upsampling continues the edge.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Extent(NamedTuple):
  """Where pictures end on their canvas; all begin at its first pixel.

  Attributes:
    ends: (rows, columns), int32 [B] each, in pixels of the canvas: multiples
      of the step between the pixels of every map that they are used with.
    canvas: height and width.
  """

  ends: tuple
  canvas: tuple[int, int]

  def along(self, x, axis: int):
    """Ends [B] along an axis of a map [B,h,w,C] of the canvas."""
    return _divided(
        self.ends[axis - 1], self.canvas[axis - 1] // x.shape[axis]
    )

  def coarser(self, step: int):
    """On maps with a pixel for each `step` of the canvas, rounded up.

    Where the canvas is no multiple of the step, `along` could not tell it.
    """
    return Extent(*(
        tuple(_divided(side + (step - 1), step) for side in sides)
        for sides in self
    ))


def ceil_to(side, multiple: int):
  """The smallest multiple that is no smaller; of numbers, arrays, symbols."""
  return _divided(side + (multiple - 1), multiple) * multiple


def _divided(side, by):
  """side // by of sides, which are not negative."""
  # Of an array, `//` is a dozen operations: it asks for signs.
  is_array = isinstance(side, jax.Array)
  return jax.lax.div(side, jnp.full_like(side, by)) if is_array else side // by


def framed(images, sizes, period: int):
  """Images [B,H,W,C] with sides in whole periods, last row and column repeated.

  With sizes, int32 [B,2], images have such sides and hold pictures of these
  heights and widths, which are framed in the same way.

  Returns:
    (images, Extent of the pictures with their frames, or None without sizes).
  """
  if sizes is None:
    for axis in (1, 2):
      side = images.shape[axis]
      if not isinstance(side, int) or side % period:
        # Not jnp.pad: an exported program's sides are symbols.
        place = jnp.minimum(jnp.arange(ceil_to(side, period)), side - 1)
        images = jnp.take(images, place, axis, mode='clip')
    return images, None
  canvas = images.shape[1:3]
  pictures = Extent(tuple(sizes.T), canvas)
  frames = Extent(tuple(ceil_to(sizes, period).T), canvas)
  return extended(images, pictures), frames


def inside(x, extent: Extent | None):
  """A map [B,h,w,C], zero beyond each picture; as it is without an extent."""
  if extent is None:
    return x
  for axis in (1, 2):
    place = jax.lax.broadcasted_iota(jnp.int32, x.shape, axis)
    x = jnp.where(place < extent.along(x, axis).reshape(-1, 1, 1, 1), x, 0)
  return x


def extended(x, extent: Extent | None):
  """A map [B,h,w,C], each picture's last row and column repeated beyond it."""
  if extent is None:
    return x
  for axis in (1, 2):
    last = (extent.along(x, axis) - 1).reshape(-1, 1, 1, 1)
    edge = jnp.take_along_axis(x, last, axis, mode='clip')
    place = jax.lax.broadcasted_iota(jnp.int32, x.shape, axis)
    x = jnp.where(place < last, x, edge)
  return x


def first(x, size):
  """The first rows and columns of [B,h,w,C], no more than there are."""
  for axis, count in enumerate(size, 1):
    if isinstance(count, int) and isinstance(x.shape[axis], int):
      x = jax.lax.slice_in_dim(x, 0, count, axis=axis)
    else:  # Of symbols, JAX can't tell that there are as many.
      x = jnp.take(x, jnp.arange(count), axis, mode='clip')
  return x
