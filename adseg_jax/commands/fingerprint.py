"""`adseg fingerprint`: is my run the same as yours?"""

import dataclasses
import hashlib
from typing import Annotated

import tyro

from adseg_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Arguments:
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
  root: Annotated[str, tyro.conf.arg(name='data.root')] = ''
  """Folder of the original files, where they lie elsewhere now."""
  prepared: Annotated[str, tyro.conf.arg(name='data.prepared')] = ''
  """Folder where TFDS keeps prepared data sets, where it is another now."""


def run(arguments: Arguments):
  """Prints the hashes.

  Raises:
    UserError: the run or its data can't be read.
  """
  if not arguments.workdir:
    raise UserError('name the workdir of a run: adseg fingerprint runs/earth')
  from adseg_jax.inference import fingerprint
  from adseg_jax.settings import to_json
  from adseg_jax.training.restore import describe
  from adseg_jax.training.run import devices, versions

  workdir = arguments.workdir
  experiment, *_ = describe(workdir)
  places = {
      name: value for name in ('root', 'prepared')
      if (value := getattr(arguments, name))
  }
  settings = dataclasses.replace(experiment, data=dataclasses.replace(
      experiment.data, root='', prepared='', unlabelled=''
  ))
  experiment = dataclasses.replace(experiment, data=dataclasses.replace(
      experiment.data, **places
  ))
  # First: what has no checkpoint is refused before a thousand examples.
  step, digest = fingerprint.of_parameters(workdir, arguments.checkpoint)
  print('settings  ', hashlib.sha256(to_json(settings).encode()).hexdigest())
  examples, stream = fingerprint.of_data(experiment)
  print('examples  ', examples)
  print('stream    ', stream)
  print('parameters', digest, f'(step {step})')
  found = ' '.join(f'{name} {what}' for name, what in versions().items())
  print(f'versions   {found}; {devices()}')
