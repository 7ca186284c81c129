"""Build, restore, step, log, evaluate, save: the one long function."""

import dataclasses
import functools
from pathlib import Path

import jax
import numpy as np

from adseg_jax import config, pretrained
from adseg_jax.data import dataset as datasets
from adseg_jax.evaluation.evaluate import decode, evaluate
from adseg_jax.evaluation.gallery import (
    panel_indices,
    write_overview,
    write_panels,
)
from adseg_jax.evaluation.metrics import Scores, scores
from adseg_jax.reporting.writer import Writer
from adseg_jax.training import parallel, run
from adseg_jax.training.checkpoint import Checkpoints, has_begun
from adseg_jax.training.clock import Clock
from adseg_jax.training.method import make_method
from adseg_jax.training.state import init_state

SCORES = 'scores.json'
TEST_SCORES = 'scores_test.json'


def train(experiment: config.Experiment, workdir: Path):
  """Trains to the end, from the newest checkpoint of the workdir if any.

  Writes experiment.json, metrics.jsonl, checkpoints, TensorBoard files,
  pictures, scores_test.json where the data set has a test split and, last,
  scores.json. A finished run is left as it is.

  Args:
    experiment: what to train.
    workdir: folder of the run; made if it is missing.

  Raises:
    UserError: settings, data, checkpoint or workdir can't be used.
  """
  dataset = datasets.find(experiment.data)
  method = make_method(experiment, len(dataset.classes))
  count = jax.local_device_count()
  config.validate(experiment, method.segmentor.stride, count)
  key = jax.random.key(experiment.seed)
  begin = functools.partial(init_state, key, method, experiment.data.crop)
  # What does not fit the networks shows before the workdir is this run's.
  shapes, weights = jax.eval_shape(begin), experiment.segmentor.weights
  borrowed = None
  if weights and not has_begun(workdir):
    borrowed = pretrained.load(weights, method.segmentor, shapes.segmentor)
  run.claim(workdir, experiment, dataset)
  if (workdir / SCORES).exists():
    return

  # TensorFlow takes seconds to import: not before the settings are checked.
  from adseg_jax.data.examples import load
  from adseg_jax.data.pipeline import train_batches

  training = load(
      dataset, experiment.data.train or dataset.train, experiment.data
  )
  validation = load(dataset, dataset.validation, experiment.data)
  # At the start, so that what is wrong with it is not found at the end.
  test = dataset.test and load(dataset, dataset.test, experiment.data)
  panels = panel_indices(len(validation), experiment.evaluation.panels)
  state = begin()
  if borrowed:
    state = state.replace(
        segmentor=pretrained.start(state.segmentor, borrowed)
    )
  state = parallel.place(state)
  train_step = parallel.make_train_step(method)
  eval_step = parallel.make_eval_step(method)

  def predict(images):
    return parallel.gather(eval_step(state, parallel.shard(images, count)))

  def confusion_of(examples, keep=()):
    return evaluate(
        predict, examples, len(dataset.classes), experiment.evaluation.batch,
        keep,
    )

  def evaluated(step):
    confusion, kept = confusion_of(validation, panels)
    result = scores(confusion)
    writer.write(step, 'validation', means(result))
    writer.images(step, *_pictures(validation, kept), dataset.palette)
    return result, confusion, kept

  steps, log = experiment.optimizer.steps, experiment.logging
  with Checkpoints(workdir, experiment) as checkpoints:
    state, seconds = checkpoints.restore(state)
    start = int(state.step)
    clock = Clock(experiment.data.batch, seconds)
    with Writer(workdir, steps, start) as writer:
      if borrowed:
        new = ', '.join(borrowed.new) or 'none'
        writer.message(f'Weights of {weights}; new layers: {new}')
      del borrowed
      pending = []
      batches = train_batches(
          training, experiment.data, seed=experiment.seed, start=start,
          steps=steps,
      )
      for step, batch in enumerate(batches, start + 1):
        state, metrics = train_step(state, parallel.shard(batch, count))
        pending.append(metrics)
        clock.step()
        if step == start + 1:
          jax.block_until_ready(metrics)
          clock.skip()  # compilation is not the pace
        evaluates = step % experiment.evaluation.every == 0 and step < steps
        saves = step % log.checkpoint_every == 0 and step < steps
        if step % log.every == 0 or evaluates or saves or step == steps:
          values = _mean(pending) | clock.lap()
          pending = []
          writer.write(step, 'train', values)
          writer.progress(step, values, values['images_per_second'])
        if evaluates or saves:
          result = evaluated(step)[0] if evaluates else None
          checkpoints.save(state, clock.seconds, result and means(result))
          clock.skip()
      result, confusion, kept = evaluated(steps)
      if start < steps:
        checkpoints.save(state, clock.seconds, means(result))
      write_panels(workdir / 'panels', dataset, validation, kept)
      if dataset.overview:
        writer.message('Predicting the overview ...')
        write_overview(workdir / 'overview', dataset, predict, count)
      about = {'step': steps, 'seconds': clock.seconds}
      if test:
        found = confusion_of(test)[0]
        writer.message(_sentence(dataset.test, scores(found)))
        run.write_json(workdir / TEST_SCORES, about | {
            'split': dataset.test, 'images': len(test),
            **_table(scores(found), found, dataset.classes),
        })
  run.write_json(workdir / SCORES, about | {
      'split': dataset.validation, 'images': len(validation),
      **_table(result, confusion, dataset.classes),
  })


def _mean(pending) -> dict[str, float]:
  """Mean of each metric over the steps since the last line."""
  steps = jax.device_get(pending)
  return {
      name: float(np.mean([values[name] for values in steps]))
      for name in steps[0]
  }


def means(result: Scores) -> dict[str, float]:
  """The scores that are one number."""
  return {
      field.name: value
      for field in dataclasses.fields(result)
      if isinstance(value := getattr(result, field.name), float)
  }


def _sentence(split: str, result: Scores) -> str:
  numbers = ', '.join(
      f'{name.replace("_", " ")} {value:.4f}'
      for name, value in means(result).items()
  )
  return f'{split}: {numbers}'


def _pictures(examples, kept):
  """Images, truths and predictions of the kept examples."""
  return (
      [decode(examples.images[i], 'RGB') for i in kept],
      [decode(examples.labels[i], 'L') for i in kept],
      list(kept.values()),
  )


def _table(result: Scores, confusion, classes) -> dict:
  """Scores as JSON has them: nan, where a class is absent, as null."""
  def number(value):
    return None if np.isnan(value) else float(value)

  rows = zip(
      classes, result.iou, result.accuracy, result.precision, result.pixels,
      strict=True,
  )
  return {name: number(value) for name, value in means(result).items()} | {
      'classes': [
          {'name': name, 'iou': number(iou), 'accuracy': number(accuracy),
           'precision': number(precision), 'pixels': int(pixels)}
          for name, iou, accuracy, precision, pixels in rows
      ],
      'confusion': confusion.tolist(),
  }
