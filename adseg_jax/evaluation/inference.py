"""Class probabilities of pictures at their own sizes.

A picture is seen in one or more views (scales, mirrored); the softmax of each
is brought to the picture's size, and the views are averaged.
"""

import dataclasses
import functools

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from adseg_jax.evaluation.resampling import (
    ceil_to,
    pad_picture,
    resample,
    resample_on_host,
    resize_picture,
    taps,
)
from adseg_jax.evaluation.windows import slide
from adseg_jax.segmentors import resize_logits
from adseg_jax.training.restore import Trained


@dataclasses.dataclass(frozen=True)
class Views:
  """How a picture is looked at.

  Attributes:
    scales: factors on its size.
    flip: see each view mirrored, too.
    window: height and width of sliding windows; None sees a view whole.
    overlap: least share of a window that the next one sees, too.
  """

  scales: tuple[float, ...] = (1.0,)
  flip: bool = False
  window: tuple[int, int] | None = None
  overlap: float = 0.33


def forward(variables, images, *, segmentor):
  """[B,H,W,3] in 0..1 -> probabilities [B,H,W,C]; sides in whole buckets."""
  logits = segmentor.apply(variables, images, train=False)
  return jax.nn.softmax(resize_logits(logits, images.shape[1:3]))


@functools.partial(jax.jit, static_argnames=('segmentor', 'flip'))
def _view(variables, images, resizing, *, segmentor, flip):
  """`forward`, averaged over the mirror image, resized by (rows, columns)."""
  maps = forward(variables, images, segmentor=segmentor)
  if flip:
    mirrored = forward(variables, images[:, :, ::-1], segmentor=segmentor)
    maps = (maps + mirrored[:, :, ::-1]) / 2
  return resample(maps, *resizing) if resizing else maps


@jax.jit
def _mean(views):
  return sum(views) / len(views)


def seen_size(size, scale: float, trained: Trained) -> tuple[int, int]:
  """Height and width that a picture of a size is seen at.

  A run with --data.size has seen pictures of that size only.
  """
  fixed = trained.experiment.data.size
  return tuple(
      max(1, round(side * scale)) for side in (fixed if any(fixed) else size)
  )


def _padded_size(size, scale: float, trained: Trained) -> tuple[int, int]:
  """What every picture of up to a size fits in when it is seen."""
  fixed = trained.experiment.data.size
  return tuple(
      ceil_to(int(np.ceil(side * scale)))
      for side in (fixed if any(fixed) else size)
  )


def _make_run(trained: Trained, flip: bool, devices):
  """(images, resizing) -> probabilities, on devices that share the batch."""
  mesh = Mesh(np.asarray(devices), ('batch',))
  whole = NamedSharding(mesh, PartitionSpec())
  parts = NamedSharding(mesh, PartitionSpec('batch'))
  variables = jax.device_put(trained.variables, whole)

  def run(images, resizing=None):
    images, resizing = jax.device_put((images, resizing), parts)
    return _view(
        variables, images, resizing, segmentor=trained.segmentor, flip=flip
    )

  return run


def make_whole(trained: Trained, views: Views, devices=None):
  """Probabilities of a batch of pictures that are seen whole.

  Args:
    trained: the segmentor.
    views: how the pictures are seen; `window` is not used.
    devices: devices that share a batch; None takes the first.

  Returns:
    (list of up to `batch` pictures uint8 [h,w,3], size [H,W] that all fit in,
    of whole buckets, batch) -> float32 [batch,H,W,C] on the devices. What is
    outside a picture means nothing. A program compiles for each size and
    scale.
  """
  run = _make_run(trained, views.flip, devices or jax.local_devices()[:1])

  def predict(pictures, size, batch):
    found = []
    for scale in views.scales:
      images = np.zeros(
          (batch, *_padded_size(size, scale, trained), 3), np.float32
      )
      own = [picture.shape[:2] for picture in pictures]
      own += [tuple(size)] * (batch - len(pictures))
      seen = [seen_size(one, scale, trained) for one in own]
      for row, picture in enumerate(pictures):
        images[row] = pad_picture(
            resize_picture(picture, seen[row]), images.shape[1:3]
        )
      resizing = None
      if scale != 1 or any(trained.experiment.data.size):
        resizing = tuple(
            taps([one[axis] for one in seen], [one[axis] for one in own],
                 size[axis])
            for axis in range(2)
        )
      found.append(run(images, resizing))
    return _mean(found) if found[1:] else found[0]

  return predict


def make_sliding(trained: Trained, views: Views, batch: int, devices=None):
  """Probabilities of a picture of any size, window by window.

  Args:
    trained: the segmentor.
    views: how pictures are seen, with a window.
    batch: windows per call, a multiple of the devices.
    devices: devices that share a batch; None takes the first.

  Returns:
    picture uint8 [h,w,3] -> float32 [h,w,C] on the host. One program compiles,
    whatever the sizes and scales.
  """
  run = _make_run(trained, views.flip, devices or jax.local_devices()[:1])
  height, width = views.window
  padded = ceil_to(height), ceil_to(width)

  def predict_windows(images):
    margin = [(0, p - s) for p, s in zip(padded, views.window, strict=True)]
    images = np.pad(images, ((0, 0), *margin, (0, 0)), 'edge')
    return np.asarray(run(images))[:, :height, :width]

  def predict(picture):
    size, total = picture.shape[:2], 0
    for scale in views.scales:
      seen = seen_size(size, scale, trained)
      # The window's own size, where the picture is smaller.
      fitting = [max(pair) for pair in zip(seen, views.window, strict=True)]
      image = pad_picture(resize_picture(picture, seen), fitting)
      maps = slide(predict_windows, image, views.window, views.overlap, batch)
      total = total + resample_on_host(maps[:seen[0], :seen[1]], size)
    return total / len(views.scales) if views.scales[1:] else total

  return predict
