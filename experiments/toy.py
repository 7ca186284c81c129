"""The method of Luc et al. 2016 in one file: the place to begin reading.

A segmentor gives every pixel of a satellite image one of six climates; a
discriminator tells its class maps from true ones. Plain JAX and Flax; of the
package only the data are used: Earth, which needs no download. Both networks
train in about a minute on two CPU cores; validation mean IoU was 0.53 (seed 0)
when the test tiles were for training. The figure has tiles, their truth, their
prediction and both losses.

  python experiments/toy.py --output runs/toy.png
"""

import argparse
import pathlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from PIL import Image, ImageDraw

from adseg_jax.data import earth
from adseg_jax.data.earth import CLASSES, PALETTE, TILE

VOID = 255
# All chosen. LAMBDA is the adversary's weight beside a mean cross-entropy.
LAMBDA, CROP, BATCH, STEPS = 0.05, 64, 8, 400
UPDATE = optax.multi_transform(
    {'s': optax.adam(3e-3), 'a': optax.adam(3e-4, b1=0.5)}, ('s', 'a')
)


class Segmentor(nn.Module):
  """Images [B,H,W,3] in 0..1 -> logits [B,H,W,C]."""

  stride, num_classes = 1, len(CLASSES)

  @nn.compact
  def __call__(self, images, *, train=True):
    """Each layer sees twice as far as the one before."""
    x = (images - 0.45) / 0.25
    for dilation in (1, 2, 4, 8):
      x = nn.relu(nn.Conv(24, (3, 3), kernel_dilation=dilation)(x))
    return nn.Conv(len(CLASSES), (1, 1))(x)


class Discriminator(nn.Module):
  """Class maps [B,H,W,C], images [B,H,W,3] -> logits [B], above 0: true."""

  @nn.compact
  def __call__(self, maps, images):
    """Reads both at once, coarser and coarser, then averages."""
    x = jnp.concatenate([maps, images], -1)
    for channels in (16, 32, 64):
      x = nn.relu(nn.Conv(channels, (4, 4), strides=2)(x))
    return nn.Conv(1, (3, 3))(x).mean((1, 2, 3))


s, a = Segmentor(), Discriminator()


def bce(logits, z):
  """-[z ln p + (1 - z) ln(1 - p)], p the sigmoid of the logits; its mean."""
  return (z * nn.softplus(-logits) + (1 - z) * nn.softplus(logits)).mean()


def losses(segmentor, discriminator, x, labels):
  """What each network minimises, as a function of the parameters of both."""
  logits = s.apply(segmentor, x)
  known = (labels != VOID)[..., None]
  # Zero in both maps where there is no label: void gives nothing away.
  y = jnp.where(known, jax.nn.one_hot(labels, len(CLASSES)), 0)
  s_x = jnp.where(known, nn.softmax(logits), 0)
  mce = -(y * nn.log_softmax(logits)).sum() / known.sum()
  seen = (x - 0.45) / 0.25
  real, fake = (a.apply(discriminator, maps, seen) for maps in (y, s_x))
  # Equation 1, in its non-saturating form, and equation 2.
  return mce + LAMBDA * bce(fake, 1), bce(real, 1) + bce(fake, 0)


@jax.jit
def step(networks, moments, x, labels):
  """One forward pass, two pullbacks, two updates."""
  both, pull = jax.vjp(lambda *n: losses(*n, x, labels), *networks)
  gradients = pull((1.0, 0.0))[0], pull((0.0, 1.0))[1]
  moves, moments = UPDATE.update(gradients, moments)
  return optax.apply_updates(networks, moves), moments, both


def initial(seed: int):
  """Parameters of both networks, and the moments of their updates."""
  key, other = jax.random.split(jax.random.key(seed))
  images, maps = (jnp.zeros((1, CROP, CROP, c)) for c in (3, len(CLASSES)))
  networks = s.init(key, images), a.init(other, maps, images)
  return networks, UPDATE.init(networks)


def tiles(split: str):
  """Images [N,128,128,3] in 0..1 and labels [N,128,128] of a split."""
  image, label = earth.world()
  places = [
      np.s_[TILE * row:TILE * (row + 1), TILE * column:TILE * (column + 1)]
      for row, column in earth.tiles(label)
      if earth.split_of(column) == split
  ]
  x, y = (np.stack([part[p] for p in places]) for part in (image, label))
  return x.astype(np.float32) / 255, y


def batch(images, labels, seed: int, number: int):
  """Crops of a step: a function of (seed, number), so runs can be repeated."""
  rng = np.random.default_rng((seed, number))
  corners = rng.integers((len(images), *[TILE - CROP + 1] * 2), size=(BATCH, 3))
  places = [np.s_[i, y:y + CROP, x:x + CROP] for i, y, x in corners]
  return [np.stack([part[p] for p in places]) for part in (images, labels)]


def mean_iou(predictions, labels) -> float:
  """Intersection over union, mean over the classes."""
  found = [(predictions == c, labels == c) for c in range(len(CLASSES))]
  return float(np.mean([(p & t).sum() / (p | t).sum() for p, t in found]))


def draw(images, labels, predictions, curves):
  """Tiles, their truth, their prediction; below, both losses, from 0 to 2."""
  colours, count = np.array(PALETTE) / 255, len(images)
  rows = images, colours[labels], colours[predictions]
  tall = np.concatenate([np.concatenate([*row], 1) for row in rows])
  figure = Image.new('RGB', (count * TILE, 4 * TILE), 'white')
  figure.paste(Image.fromarray((tall * 255).astype(np.uint8)))
  pen, smooth = ImageDraw.Draw(figure), np.reshape(curves, (-1, 10, 2)).mean(1)
  for i, colour in enumerate(('green', 'red')):
    y = figure.height - smooth[:, i].clip(0, 2) * TILE / 2
    x = np.linspace(0, figure.width, len(y))
    pen.line([*zip(x, y, strict=True)], colour, 2)
    pen.text((8 + 80 * i, 3 * TILE + 4), f'equation {i + 1}', colour)
  return figure


def main():
  """Trains both networks, scores the segmentor, draws the figure."""
  options = argparse.ArgumentParser(description=main.__doc__)
  options.add_argument('--output', type=pathlib.Path, default='runs/toy.png')
  options.add_argument('--seed', type=int, default=0)
  options = options.parse_args()
  training, (images, labels) = tiles('train'), tiles('validation')
  (networks, moments), curves = initial(options.seed), []
  for number in range(STEPS):
    crops = batch(*training, options.seed, number)
    networks, moments, both = step(networks, moments, *crops)
    curves.append(np.array(both))
    if number % 50 == 49:
      print(f'step {number + 1}: eq. 1 {both[0]:.3f}, eq. 2 {both[1]:.3f}')
  classify = jax.jit(lambda x: s.apply(networks[0], x[None]).argmax(-1)[0])
  predictions = np.stack([classify(image) for image in images])
  options.output.parent.mkdir(parents=True, exist_ok=True)
  shown = (part[::15] for part in (images, labels, predictions))
  draw(*shown, curves).save(options.output)
  print(f'mean IoU of {len(images)} validation tiles: '
        f'{mean_iou(predictions, labels):.3f}; figure: {options.output}')


if __name__ == '__main__':
  main()
