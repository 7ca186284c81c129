"""A trained segmentor as a function of a picture."""

import numpy as np

from adseg_jax.evaluation.predict import make_predict


class Segment:
  """A trained segmentor: image uint8 [H,W,3] -> (labels, probabilities).

  Pictures of about one size share a compiled program; a large one is seen
  window by window, with the same result. As `adseg predict` does it.

  Attributes:
    classes: name of each class; the index is the label.
    palette: red, green and blue of each class, 0 to 255.
    step: the step that was loaded.
  """

  def __init__(self, trained):
    """A `Trained` segmentor, compiled at its first picture."""
    self.classes, self.palette = trained.classes, trained.palette
    self.step = trained.step
    self._predict = make_predict(trained)

  def __call__(self, image):
    """(labels uint8 [H,W], probabilities float32 [H,W,C]) of a picture.

    Args:
      image: uint8 [H,W,3], RGB, at any size.

    Raises:
      ValueError: it has another type or shape.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or (
        0 in image.shape
    ):
      raise ValueError(
          f'the image is {image.dtype} {list(image.shape)}: give uint8 '
          '[H,W,3], RGB'
      )
    probabilities = self._predict(image)
    return probabilities.argmax(-1).astype(np.uint8), probabilities
