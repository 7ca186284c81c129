"""Class probabilities of pictures at their own sizes.

A picture is looked at once or several times (scales, mirrored); the softmax of
each look is brought to the picture's size, and the looks are averaged. What
comes out depends on the picture alone, not on others beside it, on a canvas
or on windows.
"""

import dataclasses
import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from adseg_jax.evaluation.canvases import MULTIPLE, fitting
from adseg_jax.evaluation.resampling import (
    resample,
    resample_on_host,
    resize_picture,
    taps,
)
from adseg_jax.evaluation.trained import Trained
from adseg_jax.evaluation.windows import slide
from adseg_jax.networks.extents import ceil_to
from adseg_jax.networks.segmentors import at_pixels


class Look(NamedTuple):
  """One way of looking at a picture: at a scale, mirrored or not."""

  scale: float
  mirrored: bool


@dataclasses.dataclass(frozen=True)
class Views:
  """How a picture is looked at: at which scales, and each mirrored, too.

  The window is the height and width of the parts that it is predicted in, in
  pixels of each scale; None sees pictures whole that are not too large.
  """

  scales: tuple[float, ...] = (1.0,)
  flip: bool = False
  window: tuple[int, int] | None = None

  @property
  def looks(self) -> list[Look]:
    """All looks."""
    mirrored = (False, True) if self.flip else (False,)
    return [Look(*pair) for pair in itertools.product(self.scales, mirrored)]


def forward(variables, images, *, segmentor, sizes=None):
  """Probabilities of every pixel.

  Args:
    variables: the segmentor's.
    images: [B,H,W,3], RGB in 0..255, of any type.
    segmentor: Linen module.
    sizes: int32 [B,2], height and width of the pictures in the images, whose
      sides are then multiples of the segmentor's period; None: all of them.

  Returns:
    float32 [B,H,W,C]; what is outside a picture means nothing.
  """
  size = images.shape[1:3]
  images = images.astype(jnp.float32) * (1.0 / 255.0)
  options = {} if sizes is None else {'sizes': sizes}
  logits = segmentor.apply(variables, images, train=False, **options)
  return jax.nn.softmax(at_pixels(logits, segmentor.stride, size, sizes))


@functools.partial(jax.jit, static_argnames=('segmentor',))
def _look(variables, images, sizes, resizing, *, segmentor):
  """`forward`, resized by (rows, columns)."""
  maps = forward(variables, images, segmentor=segmentor, sizes=sizes)
  return resample(maps, *resizing) if resizing else maps


@functools.partial(jax.jit, static_argnums=1)
def _together(looks, classes):
  """Mean of the looks; with `classes`, the likeliest class of each pixel."""
  mean = sum(looks) / len(looks) if looks[1:] else looks[0]
  return jnp.argmax(mean, -1).astype(jnp.uint8) if classes else mean


def seen_size(size, scale: float, trained: Trained) -> tuple[int, int]:
  """Height and width that a picture of a size is seen at."""
  return tuple(max(1, round(side * scale)) for side in trained.size or size)


def _seen(picture, look: Look, trained: Trained):
  """A picture as it is seen: uint8, or float32 where looks have other sizes."""
  if look.scale != 1 or trained.size:
    picture = resize_picture(
        picture, seen_size(picture.shape[:2], look.scale, trained)
    )
  return picture[:, ::-1] if look.mirrored else picture


def _canvas(canvas, scale: float, trained: Trained) -> tuple[int, int]:
  """What every picture on a canvas fits in when it is seen."""
  return fitting(int(np.ceil(side * scale)) for side in trained.size or canvas)


class _Run:
  """(pictures, canvas, count, resizing) -> maps, on devices that share them."""

  def __init__(self, trained: Trained, devices):
    mesh = Mesh(np.asarray(devices), ('batch',))
    whole = NamedSharding(mesh, PartitionSpec())
    self.parts = NamedSharding(mesh, PartitionSpec('batch'))
    self.variables = jax.device_put(trained.variables, whole)
    self.segmentor = trained.segmentor

  def __call__(self, pictures, canvas, count, resizing=None):
    images = np.zeros((count, *canvas, 3), pictures[0].dtype)
    sizes = np.ones((count, 2), np.int32)
    for row, picture in enumerate(pictures):
      height, width = sizes[row] = picture.shape[:2]
      images[row, :height, :width] = picture
    placed = jax.device_put((images, sizes, resizing), self.parts)
    return _look(self.variables, *placed, segmentor=self.segmentor)

  def compile(self, canvas, count, dtype, resizing=None):
    """A later call of these shapes finds its program."""
    images = jax.ShapeDtypeStruct((count, *canvas, 3), dtype)
    sizes = jax.ShapeDtypeStruct((count, 2), np.int32)
    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self.parts),
        (images, sizes, resizing),
    )
    _look.lower(self.variables, *shapes, segmentor=self.segmentor).compile()


class Whole:
  """Predicts a batch of pictures that are seen whole.

  A program compiles for each canvas, count and scale.
  """

  def __init__(
      self, trained: Trained, views: Views, devices=None, classes=False
  ):
    """See the class.

    Args:
      trained: the segmentor.
      views: how the pictures are seen; `window` is not used.
      devices: devices that share a batch; None takes the first.
      classes: give classes instead of probabilities.
    """
    self.run = _Run(trained, devices or jax.local_devices()[:1])
    self.trained, self.views, self.classes = trained, views, classes

  def __call__(self, pictures, canvas, count):
    """Predictions, on the devices.

    Args:
      pictures: up to `count`, uint8 [h,w,3].
      canvas: height and width that all fit on.
      count: pictures that the program takes.

    Returns:
      float32 [count,H,W,C] or uint8 [count,H,W]; what is outside a picture
      means nothing.
    """
    own = [picture.shape[:2] for picture in pictures]
    own += [(1, 1)] * (count - len(pictures))
    looks = []
    for look in self.views.looks:
      seen = [_seen(picture, look, self.trained) for picture in pictures]
      sizes = [one.shape[:2] for one in seen]
      sizes += [(1, 1)] * (count - len(seen))
      looks.append(self.run(
          seen, _canvas(canvas, look.scale, self.trained), count,
          self._resizing(look, sizes, own, canvas),
      ))
    return _together(looks, self.classes)

  def compile(self, canvas, count):
    """Compiles what a call takes; threads may do it side by side."""
    ones = [(1, 1)] * count
    for look in self.views.looks:
      self.run.compile(
          _canvas(canvas, look.scale, self.trained), count,
          _seen(np.zeros((1, 1, 3), np.uint8), look, self.trained).dtype,
          self._resizing(look, ones, ones, canvas),
      )

  def _resizing(self, look, sizes, own, canvas):
    """Taps of rows and columns, from what was seen to the pictures."""
    if look == Look(1, False) and not self.trained.size:
      return None
    rows, columns = (
        taps([size[axis] for size in sizes], [size[axis] for size in own],
             canvas[axis], look.mirrored and axis == 1)
        for axis in range(2)
    )
    return rows, columns


def make_sliding(
    trained: Trained, views: Views, batch: int, devices=None, classes=False
):
  """Predicts a picture of any size, window by window.

  A window sees as far around its part as the segmentor does, so that the
  result is that of the whole picture.

  Arguments are those of `Whole`, with a window in the views, and windows
  per call, at most: a multiple of the devices.

  Returns:
    picture uint8 [h,w,3] -> float32 [h,w,C] or uint8 [h,w] on the host. A
    program compiles for each number of windows per call.
  """
  devices = devices or jax.local_devices()[:1]
  run = _Run(trained, devices)
  part = fitting(views.window)
  margin = ceil_to(trained.segmentor.radius, MULTIPLE)
  canvas = tuple(side + 2 * margin for side in part)
  if trained.size:
    most = _canvas(canvas, max(views.scales), trained)
    canvas = tuple(map(min, zip(canvas, most, strict=True)))
  # Classes can't be averaged, nor resized.
  plain = views.looks == [Look(1, False)] and not trained.size

  def predict_windows(pictures, count):
    count = ceil_to(count, len(devices))
    return np.asarray(_together(
        [run(pictures, canvas, count)], classes and plain
    ))

  def predict(picture):
    size, total = picture.shape[:2], 0
    for look in views.looks:
      seen = _seen(picture, look, trained)
      maps = slide(predict_windows, seen, part, margin, batch)
      if plain:
        return maps
      maps = maps[:, ::-1] if look.mirrored else maps
      total = total + resample_on_host(maps, size)
    if classes:
      return total.argmax(-1).astype(np.uint8)
    return total / np.float32(len(views.looks))

  return predict
