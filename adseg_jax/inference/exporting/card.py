"""What a person who gets an exported segmentor should know of it."""

import importlib
import json

from etils import epath

from adseg_jax.data.dataset import MODULES
from adseg_jax.training.restore import Trained
from adseg_jax.training.run import NAME, amendments
from adseg_jax.wording import counted

PROGRAM, MODEL = 'model.jax_export', 'saved_model'


def card(workdir: epath.Path, trained: Trained) -> dict:
  """Classes, palette, scores and experiment, for card.json.

  Of the workdir's scores, those of the exported weights.
  """
  run = json.loads((workdir / NAME).read_text())
  return {
      'name': trained.experiment.name, 'step': trained.step,
      'input': 'uint8 [B,H,W,3], RGB; any batch, height and width',
      'outputs': {
          'labels': 'uint8 [B,H,W], index of the class',
          'probabilities': f'float32 [B,H,W,{len(trained.classes)}]',
      },
      'classes': trained.classes, 'palette': trained.palette,
      'scores': _scores(workdir, trained),
      'amended': [words for words, _ in amendments(run)],
      'licence_of_the_data': _licence(trained.experiment.data.name),
      **{key: run.get(key) for key in (
          'experiment', 'versions', 'commit', 'devices', 'command'
      )},
  }


def _scores(workdir: epath.Path, trained: Trained) -> list[dict]:
  """Scores of these weights: of training, then of `adseg evaluate`."""
  paths = sorted(workdir.glob('scores*.json'))
  paths += sorted((workdir / 'evaluation').glob('*/scores.json'))
  found = [json.loads(path.read_text()) for path in paths]
  own = [
      _of_weights(one, trained.average) for one in found
      if one.get('step') == trained.step
  ]
  return [
      {key: value for key, value in one.items() if key != 'confusion'}
      for one in own if one
  ]


def _of_weights(found: dict, average: bool) -> dict | None:
  """The weights' scores in a file, or their average's; None without them."""
  table = found.pop('average', None)  # beside the weights', in a run's own
  if found.get('averaged', False) == average:
    return found
  return found | table if average and table else None


def _licence(name: str) -> str:
  """Of the data set, where this package knows it."""
  if name not in MODULES:
    return ''
  known = getattr(importlib.import_module(MODULES[name]), 'SOURCE', None)
  return known.licence if known else ''


def to_markdown(content: dict) -> str:
  """card.json for people."""
  size = content['experiment']['data'].get('size') or [0, 0]
  rows = [
      f'| {index} | {name} | {" ".join(map(str, colour))} |'
      for index, (name, colour) in enumerate(
          zip(content['classes'], content['palette'], strict=True)
      )
  ]
  return '\n\n'.join(filter(None, [
      f'# {content["name"]}',
      'A semantic segmentor: it gives every pixel of a picture one of '
      f'{len(rows)} classes. Pictures are uint8 [B,H,W,3], RGB, of any batch, '
      'height and width; all of the preprocessing is inside.',
      f'It sees every picture at {size[0]}x{size[1]} pixels (height x width), '
      'as in training.' if any(size) else
      'It sees a picture whole, at its own size: cut one that does not fit '
      'the memory.',
      _USAGE,
      '\n'.join(['| id | class | red green blue |', '|---|---|---|', *rows]),
      _score_table(content['scores']),
      _history(content),
  ])) + '\n'


_USAGE = f'''With JAX, on CPU, CUDA or TPU:

```python
import jax
from jax import export
with open('{PROGRAM}', 'rb') as file:
  segment = jax.jit(export.deserialize(file.read()).call)
labels, probabilities = segment(images)
```

With TensorFlow:

```python
import tensorflow as tf
segment = tf.saved_model.load('{MODEL}')
found = segment(images)  # found['labels'], found['probabilities']
```'''


def _score_table(scores: list[dict]) -> str:
  """A row for each split and way of looking at it."""
  rows = []
  for one in scores:
    views = one.get('views')
    how = 'as in training' if views is None else ', '.join([
        f'scales {" ".join(map(str, views["scales"]))}',
        *['mirrored'] * views['flip'], *['windows'] * bool(views['window']),
        *['images that the run did not have'] * one.get('new_data', False),
    ])
    rows.append(
        f'| {one["split"]} | {one["images"]} | {how} | '
        f'{_number(one["mean_iou"])} | {_number(one["pixel_accuracy"])} |'
    )
  return rows and '\n'.join([
      '| split | images | seen | mean IoU | pixel accuracy |',
      '|---|---|---|---|---|', *dict.fromkeys(rows),
  ])


def _number(value) -> str:
  return '\u2013' if value is None else f'{value:.3f}'


def _history(content: dict) -> str:
  experiment = content['experiment']
  data = experiment['data']['name']
  weight = experiment['adversary']['weight']
  moves = ' at first' * bool(experiment['adversary'].get('pull'))
  licence = content['licence_of_the_data']
  return ''.join([
      f'Trained on `{data}`' + (f' ({licence})' if licence else ''),
      f', {counted(content["step"], "step")}, seed {experiment["seed"]}, ',
      f'against a discriminator (\u03bb = {weight:g}{moves})' if weight else
      'without a discriminator',
      f': `{content["command"]}`',
      f', commit {content["commit"]}' if content['commit'] else '',
      *(f'; {words}' for words in content['amended']),
      '. All settings and scores per class: `card.json`.',
  ])
