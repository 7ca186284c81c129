"""What a run's workdir keeps of it: settings, data, and every start.

A start is allowed to go on with the same settings and data, and, if a person
says so, with some others; what changed stays in the record.
"""

import dataclasses
import datetime
import json

from etils import epath

from adseg_jax import files
from adseg_jax.config import Experiment
from adseg_jax.data.dataset import Dataset
from adseg_jax.errors import UserError
from adseg_jax.settings import flat, flatten, replaced
from adseg_jax.training import parallel, run, splits
from adseg_jax.training.checkpoint import saved_steps
from adseg_jax.training.origin import Origin
from adseg_jax.training.run import NAME, PLACES
from adseg_jax.training.splits import Split

# What --amend may change: how long and how fast a run learns, and what is
# seen of it. Anything else is another experiment.
AMENDABLE = (
    'optimizer.steps', 'optimizer.segmentor.learning_rate',
    'optimizer.discriminator.learning_rate', 'evaluation.every',
    'evaluation.batch', 'evaluation.panels', 'logging.every',
    'logging.checkpoint_every',
)


def read(workdir: epath.Path) -> dict:
  """The record; empty where no run has begun.

  Raises:
    UserError: the workdir is no folder, or the record is damaged.
  """
  path = workdir / NAME
  try:
    content = json.loads(path.read_text())
    flatten(content['experiment'])
  except FileNotFoundError:
    return {}
  except OSError as error:
    raise UserError(
        f'--workdir {workdir}: cannot be used ({error.strerror}): give another'
    ) from error
  except (ValueError, KeyError, TypeError, AttributeError) as error:
    raise UserError(
        f'{path}: cannot be read ({type(error).__name__}): give another '
        '--workdir, or move this one away'
    ) from error
  return content


def check(workdir: epath.Path, experiment: Experiment, amend: bool = False):
  """Refuses a workdir that can't be this experiment's; writes nothing.

  With `amend` what is AMENDABLE may differ.

  Raises:
    UserError: the workdir holds another experiment, or is no folder.
  """
  record = read(workdir)
  reached = max(saved_steps(workdir), default=0)
  if not record and reached:
    raise UserError(
        f'--workdir {workdir}: has checkpoints and no {NAME}: give another '
        '--workdir, or move the checkpoints away'
    )
  changes = record and _changes(record['experiment'], experiment)
  if not changes:
    return
  others = [field for field in changes if field not in AMENDABLE]
  if others or not amend:
    field = (others or list(changes))[0]
    raise UserError(
        f'--workdir {workdir}: holds another experiment ({field} is '
        f'{changes[field][0]} there, {changes[field][1]} here): give another '
        '--workdir, or the same settings to continue that run'
        + ('' if others else ', or --amend to continue it with these')
    )
  steps, scored = experiment.optimizer.steps, run.scored_step(workdir)
  if steps < reached or steps <= scored:
    raise UserError(
        f'--optimizer.steps is {steps}: the run in {workdir} has reached step '
        f'{max(reached, scored)}: give more to amend it'
    )
  if scored > reached:
    raise UserError(
        f'--workdir {workdir}: the checkpoints of its run are gone: without '
        'them it cannot be amended'
    )


def check_data(
    workdir: epath.Path, dataset: Dataset, now: dict[str, Split],
    amend: bool = False,
):
  """Refuses data, Splits by name, that are not those of the run in a workdir.

  With `amend` files may have been replaced under the same names.

  Raises:
    UserError: one line that says what differs.
  """
  record = read(workdir)
  splits.check_classes(record, dataset, f'--workdir {workdir}')
  then = splits.read(workdir, record)
  for name in then.keys() & now.keys():
    words = splits.difference(name, then[name], now[name])
    same = splits.same_names(then[name], now[name])
    if words and not (amend and same):
      raise UserError(
          f'--workdir {workdir}: its run has other examples than data set '
          f'{dataset.name} has now ({words}): bring them back, or give '
          'another --workdir'
          + (', or --amend to continue with these' if same else '')
      )


def check_origin(workdir: epath.Path, origin: Origin):
  """Raises a UserError where a run has begun with other weights than these."""
  then, now = read(workdir).get('origin') or origin.record, origin.record
  if then['digest'] != now['digest']:
    raise UserError(
        f'--segmentor.weights {then["from"]}: not what the run in {workdir} '
        f'began with ({then["digest"][:8]} then, {now["digest"][:8]} now): '
        'bring that back, or give another --workdir'
    )


def agree(
    experiment: Experiment, dataset: Dataset, now: dict[str, Split],
    origin: Origin | None,
):
  """Refuses hosts that do not train the same experiment on the same data.

  Raises:
    UserError: on every host.
  """
  text = json.dumps([
      flat(replaced(experiment, dict.fromkeys(PLACES, ''))), dataset.classes,
      [(name, one.digest) for name, one in now.items()],
      origin and origin.record,
  ])
  if others := parallel.dissenters(text):
    raise UserError(
        f'--distributed: host {others[0]} has other settings, images, labels '
        'or weights than host 0: give all the same command and files'
    )


def begin(
    workdir: epath.Path, experiment: Experiment, dataset: Dataset,
    now: dict[str, Split], step: int, origin: Origin | None = None,
) -> dict[str, list]:
  """Adds this start to the record, after `check` and `check_data`.

  It has these Splits, by name, and begins at a step, or from an origin.

  Returns:
    What it changes: field -> [before, from here on].

  Raises:
    UserError: the workdir can't be written.
  """
  before = read(workdir)
  made = {
      'versions': run.versions(), 'commit': run.commit(),
      'devices': run.devices(), 'command': run.command(),
  }
  changed = before and _changes(before['experiment'], experiment) | {
      f'examples.{name}': [then.digest, now[name].digest]
      for name, then in splits.read(workdir, before).items()
      if name in now and then.digest != now[name].digest
  }
  time = datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
  start = {'time': time, 'step': step} | made
  with files.writing('--workdir', workdir):
    _set_aside(workdir, experiment)
    run.write_json(workdir / NAME, {
        'experiment': dataclasses.asdict(experiment),
        'dataset': {
            'name': dataset.name, 'classes': dataset.classes,
            'palette': dataset.palette,
        },
        'splits': splits.write(workdir, now),
        'origin': before.get('origin') or (origin and origin.record),
        # Of the first start, as what follows from the settings above.
        **{key: before.get(key, value) for key, value in made.items()},
        'starts': [
            *before.get('starts', ()),
            start | ({'changed': changed} if changed else {}),
        ],
    })
  return changed


def _set_aside(workdir: epath.Path, experiment: Experiment):
  """Renames the scores of an end that is no longer the end."""
  for name in (run.SCORES, run.TEST_SCORES):
    step = run.scored_step(workdir, name)
    if 0 < step < experiment.optimizer.steps:
      path = workdir / name
      path.replace(path.with_stem(f'{path.stem}_step{step}'))


def _changes(theirs: dict, experiment: Experiment) -> dict[str, list]:
  """Fields that differ, but for places of files -> [theirs, mine].

  A field that an older run has not had its default there.
  """
  mine, theirs = flat(experiment), flat(Experiment()) | flatten(theirs)
  return {
      name: [theirs.get(name), mine.get(name)]
      for name in sorted({*mine, *theirs} - {*PLACES})
      if mine.get(name) != theirs.get(name)
  }
