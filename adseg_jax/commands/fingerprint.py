"""`adseg fingerprint`: is my run the same as yours?"""

import dataclasses
import hashlib

import tyro

from adseg_jax.commands.options import Places
from adseg_jax.errors import UserError
from adseg_jax.settings import replaced, to_json


@dataclasses.dataclass(frozen=True)
class Arguments(Places):
  """Hashes of a run, for two people to compare.

  Every setting of the experiment, the images and labels of the training
  split, the first 1000 examples as training sees them, the parameters of a
  checkpoint; and the versions. What differs first tells where two runs part.

    adseg fingerprint runs/earth
    adseg fingerprint runs/earth --checkpoint best
  """

  workdir: tyro.conf.Positional[str] = ''
  """Folder of a run."""
  checkpoint: str = 'last'
  """last, best (by validation mean IoU) or a step."""


def run(arguments: Arguments):
  """Prints the hashes.

  Raises:
    UserError: the run or its data can't be read.
  """
  if not arguments.workdir:
    raise UserError('name the workdir of a run: adseg fingerprint runs/earth')
  # Slow to import: not before the arguments are read.
  from adseg_jax.inference import fingerprint
  from adseg_jax.training.restore import describe
  from adseg_jax.training.run import PLACES, devices, versions

  experiment, *_ = describe(arguments.workdir)
  settings = to_json(replaced(experiment, dict.fromkeys(PLACES, '')))
  # First: what has no checkpoint is refused before a thousand examples.
  step, digest = fingerprint.of_parameters(
      arguments.workdir, arguments.checkpoint
  )
  print('settings  ', hashlib.sha256(settings.encode()).hexdigest())
  examples, stream = fingerprint.of_data(arguments.found(experiment))
  print('examples  ', examples)
  print('stream    ', stream)
  print('parameters', digest, f'(step {step})')
  found = ' '.join(f'{name} {what}' for name, what in versions().items())
  print(f'versions   {found}; {devices()}')
