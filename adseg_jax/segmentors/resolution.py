"""Between the resolution of images and that of a segmentor's output."""

from adseg_jax.extents import Extent, ceil_to, extended, first
from adseg_jax.layers import resize


def sides(size, stride: int) -> tuple[int, int]:
  """Height and width of the logits of images of a height and width."""
  return tuple(-(-side // stride) for side in size)


def resize_logits(logits, size: tuple[int, int]):
  """Bilinear: [B,h,w,C] -> [B,*size,C]."""
  return resize(logits, size)


def at_pixels(logits, stride: int, size: tuple[int, int], sizes=None):
  """Logits of every pixel of images: bilinear between the middles of cells.

  Args:
    logits: [B,h,w,C], h = ceil(H / stride).
    stride: pixels per logit.
    size: height and width of the images.
    sizes: int32 [B,2], height and width of the pictures in them, or None.

  Returns:
    [B,H,W,C].
  """
  grid = tuple(side * stride for side in logits.shape[1:3])
  if sizes is not None:
    logits = extended(logits, Extent(tuple(ceil_to(sizes, stride).T), grid))
  return first(resize_logits(logits, grid), size)


def downsample_labels(labels, stride: int):
  """The label at the middle of each output pixel.

  Args:
    labels: [B,H,W] int.
    stride: input pixels per output pixel.

  Returns:
    [B,H//stride,W//stride] int: labels are picked, never mixed.
  """
  h, w = labels.shape[1] // stride, labels.shape[2] // stride
  middle = stride // 2
  return labels[:, middle:h * stride:stride, middle:w * stride:stride]
