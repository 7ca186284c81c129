"""Pictures in, label maps out."""

import itertools

import numpy as np

WINDOW = 768  # side of a window, in pixels
MARGIN = 32  # rim of a window whose prediction lacks context and is dropped


def predict_large(predict, image: np.ndarray, batch: int = 1) -> np.ndarray:
  """Classes of an image of any size, window by window.

  Args:
    predict: images [batch,H,W,3] float32 in 0..1 -> classes [batch,H,W].
    image: [H,W,3] uint8.
    batch: windows per call of `predict`.

  Returns:
    uint8 [H,W]. One shape compiles, whatever the image's.
  """
  height, width = image.shape[:2]
  inner = WINDOW - 2 * MARGIN
  rows, columns = -(-height // inner) * inner, -(-width // inner) * inner
  padded = np.pad(
      image,
      ((MARGIN, MARGIN + rows - height), (MARGIN, MARGIN + columns - width),
       (0, 0)),
      'edge',
  )
  out = np.zeros((rows, columns), np.uint8)
  corners = list(
      itertools.product(range(0, rows, inner), range(0, columns, inner))
  )
  for first in range(0, len(corners), batch):
    part = corners[first:first + batch]
    windows = np.zeros((batch, WINDOW, WINDOW, 3), np.float32)
    for i, (y, x) in enumerate(part):
      windows[i] = padded[y:y + WINDOW, x:x + WINDOW] / np.float32(255)
    classes = np.asarray(predict(windows))[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    for i, (y, x) in enumerate(part):
      out[y:y + inner, x:x + inner] = classes[i]
  return out[:height, :width]
