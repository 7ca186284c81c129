"""Finished runs as the training loop leaves them, small and made up."""

import dataclasses
import json

import numpy as np
from PIL import Image

from adseg_jax import config
from adseg_jax.evaluation import metrics

CLASSES = ['sky & <sea>', '"road"', "tree's"]
PALETTE = [[200, 10, 30], [0, 120, 240], [90, 90, 0]]
CONFUSION = np.array([[80, 10, 10], [5, 95, 0], [0, 0, 0]])
_RATIOS = ('iou', 'accuracy', 'precision')


def label_map(seed):
  label = np.random.default_rng(seed).integers(0, 3, (6, 8)).astype(np.uint8)
  label[0, :3] = 255
  return label


def _train_line(step, weight):
  line = {
      'step': step, 'kind': 'train', 'segmentation_loss': 2 / step,
      'images_per_second': 10.0 + step,
  }
  if weight:
    line |= {
        'adversarial_loss': 0.7, 'discriminator_loss': 1.3,
        'd_real': 0.6, 'd_fake': None if step == 2 else 0.4,
    }
  return line


def write_run(
    folder, weight=0.1, seed=0, confusion=CONFUSION, steps=4, test=None,
    data=None, unlabelled=None, **adversary
):
  """A finished run as the training loop leaves it.

  Args:
    folder: made; must not exist.
    weight: lambda.
    seed: of the experiment.
    confusion: of the validation split.
    steps: length of the run; each has a line of metrics.
    test: confusion of the test split, if there is one.
    data: settings of the data.
    unlabelled: settings of images without labels.
    adversary: further settings of the adversary.
  """
  (folder / 'panels').mkdir(parents=True)
  experiment = config.Experiment(
      name='<Toy>', seed=seed, data=config.Data(**(data or {})),
      adversary=config.Adversary(weight=weight, **adversary),
      unlabelled=config.Unlabelled(**(unlabelled or {})),
      optimizer=config.Optimizer(steps=steps),
  )
  about = {
      'experiment': dataclasses.asdict(experiment),
      'dataset': {'name': 'toy', 'classes': CLASSES, 'palette': PALETTE},
      'versions': {'python': '3.12.1', 'jax': '0.12.0'},
      'commit': 'abc1234', 'devices': '2 x cpu', 'command': 'toy.py --a "<b>"',
  }
  (folder / 'experiment.json').write_text(json.dumps(about))
  lines = [_train_line(step, weight) for step in range(1, steps + 1)]
  lines.append({'step': steps, 'kind': 'validation', 'mean_iou': 0.5})
  (folder / 'metrics.jsonl').write_text(
      ''.join(json.dumps(line) + '\n' for line in lines)
  )
  _write_scores(folder / 'scores.json', 'validation', 7, confusion, steps)
  if test is not None:
    _write_scores(folder / 'scores_test.json', 'test', 5, test, steps)
  _write_pictures(folder, seed=10 + seed if weight else 20 + seed)
  return folder


def _write_scores(path, split, images, confusion, steps):
  scores = metrics.scores(confusion)
  ratios = {key: getattr(scores, key) for key in _RATIOS}
  path.write_text(json.dumps({
      'step': steps, 'split': split, 'images': images, 'seconds': 75.2,
      'pixel_accuracy': scores.pixel_accuracy,
      'class_accuracy': scores.class_accuracy, 'mean_iou': scores.mean_iou,
      'classes': [
          {'name': name, 'pixels': int(scores.pixels[place])} | {
              key: None if np.isnan(values[place]) else float(values[place])
              for key, values in ratios.items()
          }
          for place, name in enumerate(CLASSES)
      ],
      'confusion': confusion.tolist(),
  }))


def confusion_of(weight, seed):
  """A matrix that differs from arm to arm and from seed to seed."""
  drawn = np.random.default_rng([int(100 * weight), seed])
  return CONFUSION + drawn.integers(0, 9, (3, 3))


def write_table(folder, weights=(0.0, 0.1), seeds=(0, 1, 2), test=False):
  """Finished runs of every weight with every seed: their folders."""
  return [
      write_run(
          folder / f'weight{weight:g}' / f'seed{seed}', weight=weight,
          seed=seed, confusion=confusion_of(weight, seed),
          test=confusion_of(weight, seed + 50) if test else None,
      )
      for weight in weights for seed in seeds
  ]


def _write_pictures(folder, seed):
  photo = np.full((6, 8, 3), 128, np.uint8)
  for name, picture in (
      ('one_image', photo), ('one_truth', label_map(1)),
      ('one_prediction', label_map(seed)),
  ):
    Image.fromarray(picture).save(folder / 'panels' / f'{name}.png')
