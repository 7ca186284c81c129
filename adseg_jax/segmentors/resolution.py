"""Between the resolution of images and that of a segmentor's output."""

from adseg_jax.layers import resize


def resize_logits(logits, size: tuple[int, int]):
  """Bilinear: [B,h,w,C] -> [B,*size,C]."""
  return resize(logits, size)


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
