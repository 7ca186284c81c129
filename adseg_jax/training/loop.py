"""Build, restore, step, log, evaluate, save."""

import contextlib
import dataclasses

import jax
from etils import epath

from adseg_jax import config, environment
from adseg_jax.data import dataset as datasets
from adseg_jax.data.balance import class_weights, given_weights
from adseg_jax.errors import Stopped, UserError
from adseg_jax.method import average
from adseg_jax.method.state import initialize
from adseg_jax.method.turns import turns
from adseg_jax.prefetch import prefetch
from adseg_jax.training import (
  origin,
  parallel,
  record,
  run,
  scoring,
  session,
  splits,
  tracing,
)
from adseg_jax.training.checkpoint import saved_steps
from adseg_jax.training.interrupt import Interruption
from adseg_jax.training.validation import method_of
from adseg_jax.wording import counted


def train(
    experiment: config.Experiment, workdir: epath.PathLike,
    amend: bool = False, profile: bool = False,
):
  """Trains to the end, from the newest checkpoint of the workdir if any.

  Writes experiment.json, metrics.jsonl, checkpoints, TensorBoard files,
  pictures, scores_test.json where the data set has a test split and, last,
  scores.json. A finished run is left as it is. Every host calls this; the
  first one writes.

  Args:
    experiment: what to train.
    workdir: folder of the run, a path or a URL that etils.epath knows.
    amend: whether a run that has begun may go on with what record.AMENDABLE
      names changed.
    profile: whether to trace a few steps, into WORKDIR/profile.

  Raises:
    UserError: settings, data, checkpoint or workdir can't be used, the disk
      is full, or no update was finite for a while.
    Stopped: SIGTERM came; the state is saved.
  """
  workdir = epath.Path(workdir)
  dataset = datasets.find(experiment.data)
  method = method_of(experiment, dataset, jax.device_count())
  if profile:
    tracing.check(workdir)
  record.check(workdir, experiment, amend)
  record.check_data(workdir, dataset, {})  # the classes: nothing is loaded
  if run.finished(workdir, experiment):
    if profile:
      print(f'{workdir} is finished: no step is left to trace', flush=True)
    return
  with contextlib.ExitStack() as stack:
    _train(workdir, experiment, dataset, method, amend, profile, stack)


def _train(workdir, experiment, dataset, method, amend, profile, stack):
  """Trains a run that is not finished; `stack` closes what it opens."""
  interruption = stack.enter_context(Interruption())
  borrowed = _origin(workdir, experiment, dataset, method)
  training, others, validation, test = _load(dataset, experiment)
  now = {
      name: splits.describe(examples) for name, examples in (
          (experiment.data.train or dataset.train, training),
          (dataset.validation, validation), (dataset.test, test),
          (splits.UNLABELLED, others),
      ) if examples
  }
  record.agree(experiment, dataset, now, borrowed)
  parallel.on_main(
      lambda: _claim(workdir, experiment, dataset, now, amend, stack)
  )
  method = _balanced(method, training, dataset, experiment.data)
  live = session.start(
      workdir, experiment, _first(experiment, method, borrowed), stack, profile
  )
  _begin(live, dataset, now, borrowed)
  del borrowed
  scorer = scoring.Scorer(
      live, dataset, method.segmentor, validation, test, interruption.poll
  )
  steps = experiment.optimizer.steps
  try:
    _step(live, (training, others), method, scorer, interruption, stack)
    scorer.finish(steps)
  except Stopped:
    live.save()
    raise Stopped(
        f'stopped at step {live.state.step} of {steps}, saved in {workdir}: '
        'the same command continues'
    ) from None


def _origin(workdir, experiment: config.Experiment, dataset, method):
  """What the segmentor starts from; None once there is a checkpoint."""
  # An optimiser that names a layer that its network has not is refused here.
  shapes = initialize.eval_shape(
      jax.random.key(experiment.seed), method, experiment.data.crop
  )
  if not experiment.segmentor.weights or saved_steps(workdir):
    return None
  found = origin.find(
      experiment, dataset.classes, method.segmentor, shapes.segmentor
  )
  record.check_origin(workdir, found)
  return found


def _load(dataset, experiment: config.Experiment):
  """Examples with and without labels, of the validation and the test split.

  All at the start, so that what is wrong is not found at the end.
  """
  # TensorFlow takes seconds to import: not before the settings are checked.
  with environment.importing():
    from adseg_jax.data.examples import load
    from adseg_jax.data.unlabelled import divide

  data = experiment.data
  training = load(dataset, data.train or dataset.train, data)
  scored = dataclasses.replace(data, size=(0, 0))
  return (
      *divide(dataset, training, experiment),
      load(dataset, dataset.validation, scored),
      dataset.test and load(dataset, dataset.test, scored),
  )


def _claim(workdir, experiment, dataset, now, amend, stack):
  stack.enter_context(run.alone(workdir))
  # Again: another process may have been in it until now.
  record.check(workdir, experiment, amend)
  record.check_data(workdir, dataset, now, amend)


def _balanced(method, training, dataset, data: config.Data):
  """The method with its class weights, which are given or balance classes."""
  return dataclasses.replace(method, class_weights=(
      class_weights(training.labels, len(dataset.classes), data.balance)
      if data.balance else given_weights(data, dataset.classes)
  ))


def _first(experiment: config.Experiment, method, borrowed):
  """The state before the first step, on the devices."""
  state = initialize(
      jax.random.key(experiment.seed), method, experiment.data.crop
  )
  if borrowed:
    segmentor = borrowed.begin(state.segmentor)
    if method.average:
      segmentor = average.begin(segmentor)
    state = state.replace(segmentor=segmentor)
  return parallel.place(state)


def _begin(live, dataset, now, borrowed):
  """Records the start, and says what it is."""
  changed = {}
  parallel.on_main(lambda: changed.update(record.begin(
      live.workdir, live.experiment, dataset, now, int(live.state.step),
      borrowed,
  )))
  experiment, say = live.experiment, live.writer.message
  moves = ' at first' if live.state.lambda_ is not None else ''
  weight = f'{experiment.adversary.weight:g}{moves}'
  say(f'{experiment.name} (λ = {weight}) in {live.workdir}')
  if changed:
    say(f'Amended {run.in_words(live.state.step, changed)}')
  if borrowed:
    say(borrowed.words)
  if splits.UNLABELLED in now:
    images = counted(now[experiment.data.train or dataset.train].count, 'image')
    say(f'{images} with labels, {now[splits.UNLABELLED].count} without')


def _step(live, examples, method, scorer, interruption, stack):
  """All steps, with their lines, evaluations and checkpoints."""
  steps, log = live.experiment.optimizer.steps, live.experiment.logging
  every, start = live.experiment.evaluation.every, int(live.state.step)
  train_step, met = parallel.make_train_step(method), set()
  if 0 < start < steps and start % every == 0 and (
      not live.checkpoints.scored(start)
  ):
    # Stopped while it was evaluated: line and scores are missing.
    live.save(scorer.evaluate(start))
  stream = stack.enter_context(
      contextlib.closing(_batches(live, examples, steps))
  )
  for step, batch in enumerate(stream, start + 1):
    turn = turns(step - 1, method.adversary)
    with live.tracing.step(step, turn not in met, live.state):
      live.take(*train_step(live.state, batch, turn))
    # A step that is dispatched holds its batch: one runs, one is next.
    jax.block_until_ready(live.pending[-2:-1])
    if turn not in met:
      met.add(turn)
      jax.block_until_ready(live.pending)
      interruption.begin()
      live.clock.skip()  # compilation is not the pace
    evaluates = step % every == 0 and step < steps
    saves = step % log.checkpoint_every == 0 and step < steps
    if step % log.every == 0 or evaluates or saves or step == steps:
      live.log(step)
    if evaluates or saves:
      live.tracing.end(live.state)
      live.save(scorer.evaluate(step) if evaluates else None)
      live.clock.skip()
    if interruption.at(step):
      raise Stopped
  live.tracing.end(live.state)
  interruption.begin()


def _batches(live, examples, steps: int):
  """Yields the batches that are left of the run's stream, on the devices."""
  from adseg_jax.data.pipeline import batches

  stream = batches(
      *examples, live.experiment.data, seed=live.experiment.seed,
      start=int(live.state.step), steps=steps, host=jax.process_index(),
      hosts=jax.process_count(),
  )
  try:
    yield from prefetch(
        stream, parallel.send,
        settle=lambda: jax.block_until_ready(live.state),
        waiting=live.clock.waiting,
    )
  except UserError as error:
    live.save()
    raise UserError(
        f'{error}; step {live.state.step} is saved in {live.workdir}: --amend '
        'continues with a file that was replaced'
    ) from None
