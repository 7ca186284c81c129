"""Windows that cover a picture, and how their predictions blend."""

import itertools

import numpy as np


def starts(length: int, window: int, overlap: float) -> list[int]:
  """First pixels of the windows along a side, evenly spread.

  Args:
    length: of the side, at least `window`.
    window: of a window.
    overlap: least share of a window that the next one sees, too, in 0..1.
  """
  stride = max(1, int(window * (1 - overlap)))
  count = -(-(length - window) // stride)
  return [i * (length - window) // count for i in range(count)] + [
      length - window
  ]


def weights(size, overlap: float) -> np.ndarray:
  """float32 [h,w]: 1 inside, falling linearly towards a window's border.

  A pixel near the border lacks context on one side.
  """
  sides = []
  for side in size:
    rim = max(1, int(side * overlap))
    place = np.arange(1, side + 1)
    sides.append(np.minimum(np.minimum(place, place[::-1]), rim) / rim)
  return np.outer(*sides).astype(np.float32)


def slide(predict, image: np.ndarray, size, overlap: float, batch: int):
  """Probabilities of a picture, from windows that blend into each other.

  Args:
    predict: [batch,*size,3] float32 -> probabilities [batch,*size,C].
    image: float32 [H,W,3], no smaller than a window.
    size: height and width of a window.
    overlap: least share of a window that the next one sees, too.
    batch: windows per call of `predict`; one shape compiles.

  Returns:
    float32 [H,W,C].
  """
  height, width = size
  corners = list(itertools.product(*(
      starts(side, part, overlap)
      for side, part in zip(image.shape, size, strict=False)
  )))
  weight = weights(size, overlap)[..., None]
  total, share = None, np.zeros((*image.shape[:2], 1), np.float32)
  for first in range(0, len(corners), batch):
    part = corners[first:first + batch]
    views = np.zeros((batch, *size, 3), np.float32)
    for i, (y, x) in enumerate(part):
      views[i] = image[y:y + height, x:x + width]
    maps = np.asarray(predict(views))
    if total is None:
      total = np.zeros((*image.shape[:2], maps.shape[-1]), np.float32)
    for i, (y, x) in enumerate(part):
      total[y:y + height, x:x + width] += weight * maps[i]
      share[y:y + height, x:x + width] += weight
  total /= share
  return total
