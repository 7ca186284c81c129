"""What the page shows of one picture, as pictures and numbers."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from adseg_jax.evaluation.gallery import overlay, paletted

# Longer side of what is sent to the page, in pixels, at most.
SHOWN = 1600
# Colours of the least confidence there can be, 1/C, and of certainty.
UNSURE, SURE = (8, 48, 107), (255, 255, 255)


class Answer(NamedTuple):
  """One picture's classes.

  Attributes:
    picture: what was asked about.
    overlay: half picture, half the colours of the most probable classes.
    map: the largest probability of each pixel, UNSURE at 1/C to SURE at 1.
    shares: of each class in the pixels, float64 [C].
    confidence: mean of the largest probability.
  """

  picture: Image.Image
  overlay: Image.Image
  map: Image.Image
  shares: np.ndarray
  confidence: float


def answer(picture: np.ndarray, probabilities: np.ndarray, palette) -> Answer:
  """A segmentor's probabilities float32 [H,W,C] of a picture uint8 [H,W,3].

  The answer's pictures have one size: the picture's own, or, above SHOWN, a
  whole fraction of it. Its numbers are of all pixels.
  """
  label = probabilities.argmax(-1)
  largest = probabilities.max(-1)
  count = probabilities.shape[-1]
  stride = -(-max(label.shape) // SHOWN)
  return Answer(
      *(one.reduce(stride) for one in (
          Image.fromarray(picture), overlay(picture, label, palette),
          confidence_map(largest, count),
      )),
      shares=np.bincount(label.ravel(), minlength=count) / label.size,
      confidence=float(largest.mean(dtype=np.float64)),
  )


def confidence_map(largest: np.ndarray, count: int) -> Image.Image:
  """The largest of `count` probabilities [H,W] in colour, UNSURE to SURE."""
  least = 1 / count
  level = np.clip((largest - least) / max(1 - least, least), 0, 1)
  ramp = np.linspace(UNSURE, SURE, 256).round()
  return paletted((255 * level).round(), ramp).convert('RGB')
