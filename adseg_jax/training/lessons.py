"""What can't be learnt from images without labels is refused beforehand."""

from collections.abc import Iterator

from adseg_jax.config import LESSONS, Experiment
from adseg_jax.errors import UserError
from adseg_jax.method.turns import turns
from adseg_jax.method.unlabelled import TERMS

_PLACES = 'unlabelled', 'unlabelled_split'


def check(experiment: Experiment):
  """Refuses images that nothing learns from, and what learns from none.

  Raises:
    UserError: one line that says what is missing, or too much.
  """
  for check_of in _images, _needs, _domain:
    for said in check_of(experiment):
      raise UserError(said)


def _images(experiment) -> Iterator[str]:
  """Yields what is wrong with images that are given."""
  for field in _PLACES:
    place = getattr(experiment.data, field)
    if place and not experiment.unlabelled.teaches:
      yield (
          f'--data.{field} {place}: nothing learns from it: give '
          '--unlabelled.fixmatch 1 or another of --unlabelled, or leave it out'
      )


def _more(data) -> bool:
  """Whether there are others than training images that lose their labels."""
  return any(getattr(data, field) for field in _PLACES)


def _needs(experiment) -> Iterator[str]:
  """Yields what a lesson lacks."""
  options, adversary = experiment.unlabelled, experiment.adversary
  none = experiment.data.labelled == 1 and not _more(experiment.data)
  for fields, lacks, what in (
      (LESSONS, none, 'there are no unlabelled images: give --data.labelled '
       '0.125, or a folder as --data.unlabelled'),
      (LESSONS[:2], not adversary.weight, 'there is no discriminator: give an '
       '--adversary.weight above 0, or 0 here'),
      (_late(experiment), True,
       f'it would start in step {options.start + 1} of '
       f'{experiment.optimizer.steps} and is in no turn from there on: give a '
       'lower --unlabelled.start'),
      (LESSONS[:1], adversary.feature_matching, 'there is no true map whose '
       'features theirs could match: give --adversary.no-feature-matching, or '
       '0 here'),
      (['mean_teacher'], not experiment.segmentor.average, 'the teacher is the '
       'average of the weights: give --segmentor.average, such as 10000 '
       'images'),
  ):
    for field in fields:
      if lacks and getattr(options, field):
        yield f'--unlabelled.{field} is {getattr(options, field):g}: {what}'


def _late(experiment) -> list[str]:
  """The lessons that are in no turn of the run's, once they may begin."""
  start, adversary = experiment.unlabelled.start, experiment.adversary
  both = max(start, adversary.start)
  period = 2 * adversary.alternate_every
  # Where the segmentor idles, it learns again when the next period begins.
  again = both + (period and (adversary.start - both) % period)
  return [
      name for name in LESSONS[1:] if not any(
          step < experiment.optimizer.steps
          and TERMS[name].due(turns(step, adversary))
          for step in (start, both, again)
      )
  ]


def _domain(experiment) -> Iterator[str]:
  """Yields why there are no two domains to tell apart."""
  options, adversary = experiment.unlabelled, experiment.adversary
  asks_for_true_maps = (
      adversary.feature_matching, adversary.r1, adversary.encoding == 'scaling',
      options.adversarial, options.self_training,
  )
  for wrong, what in (
      (not _more(experiment.data), 'there are no images of one: give a folder '
       'as --data.unlabelled, or --data.unlabelled-split'),
      (experiment.data.labelled != 1, 'training images that lose their labels '
       'are of the same one: leave --data.labelled out'),
      (not adversary.weight, 'there is no discriminator to tell it: give an '
       '--adversary.weight above 0'),
      (any(asks_for_true_maps), 'the discriminator sees no true maps: leave '
       'out --adversary.feature-matching, --adversary.r1, --adversary.encoding '
       'scaling, --unlabelled.adversarial and --unlabelled.self-training'),
  ):
    if options.another_domain and wrong:
      yield f'--unlabelled.another-domain: {what}'
