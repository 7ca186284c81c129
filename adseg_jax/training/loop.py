"""Build, restore, step, log, evaluate, save: the one long function."""

import contextlib
import dataclasses

import jax
import numpy as np
from etils import epath

from adseg_jax import config, pretrained
from adseg_jax.data import dataset as datasets
from adseg_jax.errors import Stopped, UserError
from adseg_jax.evaluation.evaluate import decode, evaluate
from adseg_jax.evaluation.gallery import (
    panel_indices,
    write_overview,
    write_panels,
)
from adseg_jax.evaluation.metrics import Scores, scores
from adseg_jax.reporting.writer import Mute, Writer
from adseg_jax.training import health, parallel, run
from adseg_jax.training.checkpoint import Checkpoints, has_begun
from adseg_jax.training.clock import Clock, Starvation
from adseg_jax.training.interrupt import Interruption
from adseg_jax.training.method import make_method
from adseg_jax.training.prefetch import prefetch
from adseg_jax.training.state import initialize

SCORES = 'scores.json'
TEST_SCORES = 'scores_test.json'


def train(experiment: config.Experiment, workdir: epath.Path):
  """Trains to the end, from the newest checkpoint of the workdir if any.

  Writes experiment.json, metrics.jsonl, checkpoints, TensorBoard files,
  pictures, scores_test.json where the data set has a test split and, last,
  scores.json. A finished run is left as it is. Every host calls this; the
  first one writes.

  Args:
    experiment: what to train.
    workdir: folder of the run, a path or a URL that etils.epath knows; made
      if it is missing.

  Raises:
    UserError: settings, data, checkpoint or workdir can't be used, the disk
      is full, or no update was finite for a while.
    Stopped: SIGTERM came; the state is saved.
  """
  workdir = epath.Path(workdir)
  dataset = datasets.find(experiment.data)
  method = make_method(experiment, len(dataset.classes))
  config.validate(experiment, method.segmentor.stride, jax.device_count())
  run.check(workdir, experiment)
  if (workdir / SCORES).exists():
    return
  with contextlib.ExitStack() as stack:
    interruption = stack.enter_context(Interruption())
    begin = jax.random.key(experiment.seed), method, experiment.data.crop
    shapes = initialize.eval_shape(*begin)
    weights = experiment.segmentor.weights
    borrowed = None
    if weights and not has_begun(workdir):
      borrowed = pretrained.load(weights, method.segmentor, shapes.segmentor)

    # TensorFlow takes seconds to import: not before the settings are checked.
    from adseg_jax.data.balance import class_weights
    from adseg_jax.data.examples import load
    from adseg_jax.data.pipeline import train_batches

    training = load(
        dataset, experiment.data.train or dataset.train, experiment.data
    )
    validation = load(dataset, dataset.validation, experiment.data)
    # At the start, so that what is wrong with it is not found at the end.
    test = dataset.test and load(dataset, dataset.test, experiment.data)
    parallel.on_main(lambda: stack.enter_context(run.alone(workdir)))
    parallel.on_main(lambda: run.claim(workdir, experiment, dataset))

    count, hosts = jax.local_device_count(), jax.process_count()
    mine = validation.part(jax.process_index(), hosts)
    panels = panel_indices(len(mine), experiment.evaluation.panels)
    if experiment.data.balance:
      method = dataclasses.replace(method, class_weights=class_weights(
          training.labels, len(dataset.classes), experiment.data.balance
      ))
    state = initialize(*begin)
    if borrowed:
      state = state.replace(
          segmentor=pretrained.start(state.segmentor, borrowed)
      )
    state = parallel.place(state)
    train_step = parallel.make_train_step(method)
    eval_step = parallel.make_eval_step(method)

    def predict(images):
      interruption.poll()
      return parallel.gather(eval_step(state, parallel.shard(images, count)))

    def confusion_of(examples, keep=()):
      confusion, kept = evaluate(
          predict, examples, len(dataset.classes),
          experiment.evaluation.batch // hosts, keep,
      )
      return parallel.sum_over_hosts(confusion), kept

    def evaluated(step, new=True):
      confusion, kept = confusion_of(mine, panels)
      result = scores(confusion)
      if new:
        writer.write(step, 'validation', means(result))
        writer.images(step, *_pictures(mine, kept), dataset.palette)
      return result, confusion, kept

    steps, log = experiment.optimizer.steps, experiment.logging
    checkpoints = stack.enter_context(Checkpoints(workdir, experiment))
    state, seconds, pending = checkpoints.restore(state)
    start = int(state.step)
    clock = Clock(experiment.data.batch, seconds)
    writer = stack.enter_context(
        Writer(workdir, steps, start) if parallel.is_main() else Mute()
    )
    weight = experiment.adversary.weight
    writer.message(f'{experiment.name} (λ = {weight:g}) in {workdir}')
    if borrowed:
      new = ', '.join(borrowed.new) or 'none'
      writer.message(f'Weights of {weights}; new layers: {new}')
    del borrowed
    streak, watch = health.Streak(), health.Watch(start)
    starvation = Starvation(start)

    def batches():
      stream = train_batches(
          training, experiment.data, seed=experiment.seed, start=start,
          steps=steps, host=jax.process_index(), hosts=hosts,
      )
      try:
        yield from prefetch(
            stream, parallel.send,
            settle=lambda: jax.block_until_ready(state),
            waiting=clock.waiting,
        )
      except UserError as error:
        checkpoints.keep(state, clock.seconds, pending)
        raise UserError(
            f'{error}; step {int(state.step)} is saved in {workdir}'
        ) from None

    try:
      # Stopped while it was evaluated: its line and its scores are missing.
      if (0 < start < steps and start % experiment.evaluation.every == 0
          and not checkpoints.scored(start)):
        result = evaluated(start)[0]
        checkpoints.save(state, clock.seconds, means(result))
      stream = stack.enter_context(contextlib.closing(batches()))
      for step, batch in enumerate(stream, start + 1):
        state, metrics = train_step(state, batch)
        pending.append(metrics)
        # A step that is dispatched holds its batch: one runs, one is next.
        jax.block_until_ready(pending[-2:-1])
        clock.step()
        if step == start + 1:
          jax.block_until_ready(metrics)
          interruption.begin()
          clock.skip()  # compilation is not the pace
        evaluates = step % experiment.evaluation.every == 0 and step < steps
        saves = step % log.checkpoint_every == 0 and step < steps
        if step % log.every == 0 or evaluates or saves or step == steps:
          values, dropped = _mean(pending)
          pending = []
          values |= clock.lap()
          writer.write(step, 'train', values)
          writer.progress(step, values, values['images_per_second'])
          for said in (
              streak.see(step, dropped), watch.see(step, values),
              starvation.see(step, values),
          ):
            if said:
              writer.message(said)
        if evaluates or saves:
          result = evaluated(step)[0] if evaluates else None
          checkpoints.save(state, clock.seconds, result and means(result))
          clock.skip()
        if interruption.at(step):
          raise Stopped
      interruption.begin()
      new = not checkpoints.scored(steps)
      result, confusion, kept = evaluated(steps, new)
      if new:
        checkpoints.save(state, clock.seconds, means(result))
      tested = test and confusion_of(
          test.part(jax.process_index(), hosts)
      )[0]
      about = {'step': steps, 'seconds': clock.seconds}

      def finish():
        write_panels(workdir / 'panels', dataset.palette, mine, kept)
        if dataset.overview:
          writer.message('Predicting the overview ...')
          write_overview(workdir / 'overview', dataset, predict, count)
        if test:
          writer.message(_sentence(dataset.test, scores(tested)))
          run.write_json(workdir / TEST_SCORES, about | {
              'split': dataset.test, 'images': len(test),
              **_table(scores(tested), tested, dataset.classes),
          })
        run.write_json(workdir / SCORES, about | {
            'split': dataset.validation, 'images': len(validation),
            **_table(result, confusion, dataset.classes),
        })

      parallel.on_main(finish)
    except Stopped:
      checkpoints.keep(state, clock.seconds, pending)
      raise Stopped(
          f'stopped at step {int(state.step)} of {steps}, saved in {workdir}: '
          'the same command continues'
      ) from None


def _mean(pending) -> tuple[dict[str, float], list[bool]]:
  """Mean of each metric over the steps since the last line.

  Returns:
    Values; those of steps whose update was dropped are left out, and
    'dropped' counts these. Whether each step was dropped.
  """
  steps = jax.device_get(pending)
  dropped = [bool(values['dropped']) for values in steps]
  kept = [v for v, bad in zip(steps, dropped, strict=True) if not bad]
  return {
      name: float(np.mean([float(values[name]) for values in kept or steps]))
      for name in steps[0]
  } | {'dropped': sum(dropped)}, dropped


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
