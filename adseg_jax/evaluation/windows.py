"""Windows that cover a picture, each with the context that its part needs."""

import itertools
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
  """A window along a side, in pixels of the picture.

  It sees `start` to `stop`, and answers for `first` to `last`, as slices do.
  """

  start: int
  stop: int
  first: int
  last: int


def along(length: int, part: int, margin: int) -> list[Window]:
  """Windows of a side; each pixel is answered for by one.

  Between two others a window answers for a part, and sees a margin on both
  sides of it; where the picture ends, so does what is seen.
  """
  whole = part + 2 * margin
  count = max(1, -(-(length - 2 * margin) // part))
  starts = [index * part for index in range(count)]
  seams = [start + margin for start in starts[1:]]
  return [
      Window(start, min(start + whole, length), first, last)
      for start, first, last in zip(
          starts, [0, *seams], [*seams, length], strict=True
      )
  ]


def slide(predict, image: np.ndarray, part, margin: int, batch: int):
  """What is predicted of a picture, window by window.

  Args:
    predict: (pictures, list of arrays [h,w,3], how many it shall take) ->
      array [B,H,W,...], H and W no smaller than any h and w.
    image: [H,W,3].
    part: height and width that a window answers for.
    margin: context around it: at least what a prediction depends on.
    batch: windows per call of `predict`, at most: shared out evenly.

  Returns:
    [H,W,...], as if the picture had been seen whole.
  """
  windows = list(itertools.product(*(
      along(length, side, margin)
      for length, side in zip(image.shape, part, strict=False)
  )))
  count = -(-len(windows) // -(-len(windows) // batch))
  out = None
  for begin in range(0, len(windows), count):
    some = windows[begin:begin + count]
    found = predict([
        image[y.start:y.stop, x.start:x.stop] for y, x in some
    ], count)
    if out is None:
      out = np.empty((*image.shape[:2], *found.shape[3:]), found.dtype)
    for one, (y, x) in zip(found, some, strict=False):
      out[y.first:y.last, x.first:x.last] = one[
          y.first - y.start:y.last - y.start, x.first - x.start:x.last - x.start
      ]
  return out
