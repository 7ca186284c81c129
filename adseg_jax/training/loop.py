"""Build, restore, step, log, evaluate, save."""

import contextlib
import dataclasses
from collections.abc import Mapping

import jax
from etils import epath

from adseg_jax import config, environment, pretrained
from adseg_jax.data import dataset as datasets
from adseg_jax.errors import Stopped, UserError
from adseg_jax.training import member, parallel, run, scoring
from adseg_jax.training.checkpoint import has_begun, saved_steps
from adseg_jax.training.clock import Starvation
from adseg_jax.training.interrupt import Interruption
from adseg_jax.training.method import make_method
from adseg_jax.training.prefetch import prefetch
from adseg_jax.training.programs import Program
from adseg_jax.training.seeds import cohorts
from adseg_jax.training.state import OPTIONS, initialize
from adseg_jax.validation import validate


def train(experiment: config.Experiment, workdir: epath.PathLike):
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
  train_seeds({workdir: experiment})


def train_seeds(runs: Mapping[epath.PathLike, config.Experiment]):
  """Trains runs that differ in their seed, at once; each as `train` would.

  All continue from the newest step that all have. Each ends as it would alone
  on CPU, to the bit; on an accelerator, where all are one program, up to
  rounding.

  Args:
    runs: workdir -> experiment.

  Raises:
    UserError: as `train`; what is wrong with one run stops all.
    Stopped: SIGTERM came; all states are saved.
  """
  runs = {epath.Path(workdir): one for workdir, one in runs.items()}
  experiment = next(iter(runs.values()))
  dataset = datasets.find(experiment.data)
  method = make_method(experiment, len(dataset.classes))
  for workdir, one in runs.items():
    validate(one, method.segmentor.stride, jax.device_count())
    run.check(workdir, one)
  left = [path for path in runs if not (path / scoring.SCORES).exists()]
  for group in cohorts({path: saved_steps(path) for path in left}):
    with contextlib.ExitStack() as stack:
      _train({path: runs[path] for path in group}, dataset, method, stack)


def _train(runs, dataset, method, stack):
  """Trains a cohort; `stack` closes what it opens."""
  experiment = next(iter(runs.values()))
  interruption = stack.enter_context(Interruption())
  begin = Program(
      initialize, method, jax.local_devices()[:1],
      static=(method, experiment.data.crop), options=OPTIONS,
  )
  begin.prepare(jax.random.key(experiment.seed))
  borrowed = _borrow(runs, method)
  training, validation, test = _load(dataset, experiment.data)
  parallel.on_main(lambda: _claim(runs, dataset, stack))
  method = _balanced(method, training, dataset, experiment.data)
  group = member.open_all(
      runs, [_first(begin, one, borrowed) for one in runs.values()], stack
  )
  _greet(group, borrowed)
  del borrowed
  scorer = scoring.Scorer(
      dataset, validation, test, experiment.evaluation.batch,
      experiment.evaluation.panels, parallel.make_eval_step(method),
      interruption.poll,
  )
  try:
    _step(group, training, method, scorer, interruption, stack)
    for one in group:
      scorer.finish(one, experiment.optimizer.steps)
  except Stopped:
    step = _keep(group)
    raise Stopped(
        f'stopped at step {step} of {experiment.optimizer.steps}, saved in '
        f'{_places(group)}: the same command continues'
    ) from None


def _borrow(runs, method):
  """Weights to start from; None once every run has a checkpoint.

  Raises:
    UserError: they do not fit.
  """
  experiment = next(iter(runs.values()))
  weights = experiment.segmentor.weights
  if not weights or all(map(has_begun, runs)):
    return None
  shapes = initialize.eval_shape(
      jax.random.key(experiment.seed), method, experiment.data.crop
  )
  return pretrained.load(weights, method.segmentor, shapes.segmentor)


def _load(dataset, data: config.Data):
  """Examples to train on, of the validation split, and of the test split.

  All at the start, so that what is wrong is not found at the end.
  """
  # TensorFlow takes seconds to import: not before the settings are checked.
  with environment.importing():
    from adseg_jax.data.examples import load

  return (
      load(dataset, data.train or dataset.train, data),
      load(dataset, dataset.validation, data),
      dataset.test and load(dataset, dataset.test, data),
  )


def _claim(runs, dataset, stack):
  for workdir in runs:
    stack.enter_context(run.alone(workdir))
  for workdir, experiment in runs.items():
    run.claim(workdir, experiment, dataset)


def _balanced(method, training, dataset, data: config.Data):
  """The method with its class weights, where classes are balanced."""
  if not data.balance:
    return method
  from adseg_jax.data.balance import class_weights

  return dataclasses.replace(method, class_weights=class_weights(
      training.labels, len(dataset.classes), data.balance
  ))


def _first(begin, experiment: config.Experiment, borrowed):
  """The state before the first step, on the devices."""
  state = begin(jax.random.key(experiment.seed))
  if borrowed:
    state = state.replace(
        segmentor=pretrained.start(state.segmentor, borrowed)
    )
  return parallel.place(state)


def _greet(group, borrowed):
  for one in group:
    name, weight = one.experiment.name, one.experiment.adversary.weight
    one.writer.message(f'{name} (λ = {weight:g}) in {one.workdir}')
  if borrowed:
    new = ', '.join(borrowed.new) or 'none'
    weights = group[0].experiment.segmentor.weights
    group[0].writer.message(f'Weights of {weights}; new layers: {new}')


def _step(group, training, method, scorer, interruption, stack):
  """All steps, with their lines, evaluations and checkpoints.

  Raises:
    Stopped: SIGTERM came.
  """
  experiment = group[0].experiment
  steps, log = experiment.optimizer.steps, experiment.logging
  every, start = experiment.evaluation.every, int(group[0].state.step)
  train_step = parallel.make_seeds_step(method, len(group))
  if 0 < start < steps and start % every == 0:
    # Stopped while they were evaluated: lines and scores are missing.
    _save([one for one in group if not one.checkpoints.scored(start)],
          start, scorer)
  starvation = Starvation(start)
  stream = stack.enter_context(
      contextlib.closing(_batches(group, training, steps))
  )
  for step, batches in enumerate(stream, start + 1):
    results = train_step([one.state for one in group], batches)
    for one, *result in zip(group, *results, strict=True):
      one.take(*result)
    # A step that is dispatched holds its batch: one runs, one is next.
    jax.block_until_ready([one.pending[-2:-1] for one in group])
    if step == start + 1:
      jax.block_until_ready(results[1])
      interruption.begin()
      _skip(group)  # compilation is not the pace
    evaluates = step % every == 0 and step < steps
    saves = step % log.checkpoint_every == 0 and step < steps
    if step % log.every == 0 or evaluates or saves or step == steps:
      values = [one.log(step) for one in group]
      if said := starvation.see(step, values[0]):
        group[0].writer.message(said)
    if evaluates or saves:
      _save(group, step, scorer if evaluates else None)
      _skip(group)
    if interruption.at(step):
      raise Stopped
  interruption.begin()


def _batches(group, training, steps: int):
  """Yields lists: a batch of each member's own stream, on the devices."""
  from adseg_jax.data.pipeline import train_batches

  streams = [
      train_batches(
          training, one.experiment.data, seed=one.experiment.seed,
          start=int(one.state.step), steps=steps, host=jax.process_index(),
          hosts=jax.process_count(),
      ) for one in group
  ]
  try:
    yield from prefetch(
        map(list, zip(*streams, strict=True)), parallel.send,
        settle=lambda: jax.block_until_ready([one.state for one in group]),
        waiting=lambda: _waiting(group),
    )
  except UserError as error:
    step = _keep(group)
    raise UserError(
        f'{error}; step {step} is saved in {_places(group)}'
    ) from None


@contextlib.contextmanager
def _waiting(group):
  with contextlib.ExitStack() as stack:
    for one in group:
      stack.enter_context(one.clock.waiting())
    yield


def _save(group, step: int, scorer=None):
  """A checkpoint of each; with its scores, where a scorer is given."""
  for one in group:
    scored = scorer and scorer.evaluate(one, step)
    one.save(scored and scoring.means(scored.result))


def _skip(group):
  for one in group:
    one.clock.skip()


def _keep(group) -> int:
  """Saves all that is not saved; returns the step that they are at."""
  for one in group:
    one.keep()
  return int(group[0].state.step)


def _places(group) -> str:
  return ', '.join(str(one.workdir) for one in group)
