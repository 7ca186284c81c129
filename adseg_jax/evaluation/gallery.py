"""Pictures of a run: validation panels, and the data set's overview."""

import numpy as np
from etils import epath
from PIL import Image

from adseg_jax.data.dataset import Dataset
from adseg_jax.data.pictures import decode
from adseg_jax.files import write_picture

# Shown size of an overview, in pixels of its longer side.
OVERVIEW = 1350
_OPACITY = 0.5  # of the classes above the picture


def panel_indices(count: int, wanted: int) -> list[int]:
  """`wanted` examples, or all there are, evenly spread over `count`."""
  shown = min(wanted, count)
  return [i * count // shown for i in range(shown)]


def paletted(label: np.ndarray, palette) -> Image.Image:
  """Indices [H,W] as a picture in the palette's colours; void is white."""
  picture = Image.fromarray(label.astype(np.uint8)).copy()
  colours = np.full((256, 3), 255, np.uint8)
  colours[:len(palette)] = palette
  picture.putpalette(colours.tobytes())
  return picture


def overlay(picture: np.ndarray, label: np.ndarray, palette) -> Image.Image:
  """A picture uint8 [H,W,3] under the colours of its classes [H,W]."""
  return Image.blend(
      Image.fromarray(picture), paletted(label, palette).convert('RGB'),
      _OPACITY,
  )


def write_label(path: epath.Path, label: np.ndarray, palette):
  """An index PNG in the palette; void (255) is white."""
  write_picture(path, paletted(label, palette))


def write_panels(folder: epath.Path, palette, examples, predictions: dict):
  """NAME_image.png, NAME_truth.png and NAME_prediction.png of some examples.

  Predictions are {index of an example: classes uint8 [H,W]}.
  """
  folder.mkdir(parents=True, exist_ok=True)
  for index, prediction in sorted(predictions.items()):
    name = examples.names[index].replace('/', '_')
    image = decode(examples.images[index], 'RGB')
    write_picture(folder / f'{name}_image.png', Image.fromarray(image))
    truth = decode(examples.labels[index], 'L')
    write_label(folder / f'{name}_truth.png', truth, palette)
    write_label(folder / f'{name}_prediction.png', prediction, palette)


def write_overview(folder: epath.Path, dataset: Dataset, predict):
  """The data set's one large image, its truth and its prediction, reduced.

  `predict` takes an image uint8 [H,W,3] and gives classes uint8 [H,W].
  """
  image, truth, caption = dataset.overview()
  prediction = predict(image)
  folder.mkdir(parents=True, exist_ok=True)
  stride = -(-max(truth.shape) // OVERVIEW)
  write_picture(
      folder / 'image.jpg', Image.fromarray(image).reduce(stride), 'jpeg',
      quality=85,
  )
  for name, label in (('truth', truth), ('prediction', prediction)):
    label = label[stride // 2::stride, stride // 2::stride]
    write_label(folder / f'{name}.png', label, dataset.palette)
  (folder / 'caption.txt').write_text(caption + '\n')
