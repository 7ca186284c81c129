"""What images without labels teach, beside equations 1 and 2.

The adversarial loss of their maps, and self-training where the discriminator
believes them (Hung et al. 2018, arXiv:1802.07934); and two rivals that need no
discriminator: the mean teacher (Tarvainen and Valpola 2017, arXiv:1703.01780)
and FixMatch (Sohn et al. 2020, arXiv:2001.07685), for pixels.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from adseg_jax.config import Adversary
from adseg_jax.errors import UserError
from adseg_jax.method import strength, views
from adseg_jax.method.domains import across_domains
from adseg_jax.method.encodings import VOID
from adseg_jax.method.forward import judge, segment
from adseg_jax.method.losses import OBJECTIVES
from adseg_jax.method.method import Method
from adseg_jax.method.precision import cast
from adseg_jax.method.reduction import mean_cross_entropy, mean_over, reduced
from adseg_jax.method.state import TrainState, image_keys, with_key
from adseg_jax.method.turns import Turn
from adseg_jax.networks.segmentors import downsample_labels
from adseg_jax.networks.segmentors.resolution import sides

_NOTHING, _UNKNOWN = np.float32(0), np.float32(np.nan)


@dataclasses.dataclass(frozen=True, eq=False)
class Lesson:
  """What `step.losses` is given, for the images of it without labels.

  Attributes are the arguments there; the state has a key of its own.
  """

  segmentor: dict
  discriminator: dict
  batch: dict
  state: TrainState
  method: Method
  turn: Turn
  axis_name: str | None

  @property
  def images(self):
    """[B,H,W,3] in 0..1, this device's part."""
    return self.batch['unlabelled_image']

  @functools.cached_property
  def mean(self):
    """Over the batch of all devices, of what lies within the images."""
    return mean_over(
        downsample_labels(
            self.batch['unlabelled_label'], self.method.segmentor.stride
        ), self.axis_name, self.batch.get('whole_unlabelled_label'),
    )

  def trained(self, images, state):
    """The segmentor's logits as it trains; statistics are of other images."""
    return segment(
        self.segmentor, state, images, self.method, self.axis_name
    )[0]

  def used(self, variables):
    """A segmentor's probabilities of the images, without dropout."""
    params = cast(variables['params'], self.method.precision)
    logits = self.method.segmentor.apply(
        variables | {'params': params}, self.images, train=False
    )
    return jax.nn.softmax(cast(logits, 'float32'))

  @functools.cached_property
  def logits(self):
    """[B,h,w,C] of the images."""
    return self.trained(self.images, self.state)

  @functools.cached_property
  def strong(self):
    """Logits of strong views [B,h,w,C]; bool [B,h,w], what they can tell."""
    state = with_key(self.state, 0)
    images, hidden = views.strong(
        self.images, image_keys(state, len(self.images), self.axis_name),
        self.method.segmentor.stride,
    )
    return self.trained(images, state), self.mean.valid & ~hidden

  def verdict(self, adversary: Adversary):
    """The discriminator's logits of the segmentor's maps."""
    maps = jax.nn.softmax(self.logits)
    a = judge(
        self.discriminator, self.images, self.state,
        dataclasses.replace(self.method, adversary=adversary), self.axis_name,
    )
    return a(jnp.where(self.mean.valid[..., None], maps, 0))[0]

  def match(self, logits, classes, counts):
    """The loss that classes have as labels where they count.

    A mean over all that lies within the images, so that what does not count
    weakens it.
    """
    labels = jnp.where(counts & self.mean.valid, classes, VOID)
    loss, told = mean_cross_entropy(logits, labels, self.mean, self.method)
    share = self.mean(jnp.float32(labels != VOID))
    return loss, _NOTHING, told['segmentation_loss'], share


def adversarial(lesson: Lesson):
  """lambda bce(a(x, s(x)), 1) and, for a, bce(a(x, s(x)), 0).

  As in the code of Hung et al., the discriminator sees these maps, too; here
  what they count is one factor for both.
  """
  adversary = lesson.method.adversary
  bce, fake = OBJECTIVES[adversary.objective], lesson.verdict(adversary)
  loss = lesson.mean(bce.segmentor(fake))
  # There is no true map: what the loss has for one is a constant.
  two = lesson.mean(bce.discriminator(jnp.zeros_like(fake), fake))
  sure = lesson.mean(bce.probability(fake))
  return strength.of(lesson.state, adversary) * loss, two, loss, sure


def self_training(lesson: Lesson):
  """The segmentor's classes are labels where the discriminator is sure."""
  adversary, logits = lesson.method.adversary, lesson.logits
  # As they are: what the discriminator is shown otherwise is moved.
  fake = lesson.verdict(dataclasses.replace(adversary, augment=()))
  sure = OBJECTIVES[adversary.objective].probability(fake)
  return lesson.match(
      logits, jnp.argmax(logits, -1), sure > lesson.method.unlabelled.trust
  )


def mean_teacher(lesson: Lesson):
  """Mean square of the difference to the average's probabilities.

  Of a strong view to those of the image, over classes.
  """
  given = lesson.used(lesson.state.segmentor.average)
  logits, tells = lesson.strong
  terms = ((jax.nn.softmax(logits) - given) ** 2).mean(-1)
  terms = jnp.where(tells, terms, 0)
  same = tells & (jnp.argmax(logits, -1) == jnp.argmax(given, -1))
  return (
      reduced(terms, lesson.mean, lesson.method), _NOTHING, lesson.mean(terms),
      lesson.mean(jnp.float32(same)),
  )


def fixmatch(lesson: Lesson):
  """The segmentor's confident classes are labels for a strong view."""
  weak = lesson.used({
      'params': jax.lax.stop_gradient(lesson.segmentor),
      **lesson.state.segmentor.model_state,
  })
  logits, tells = lesson.strong
  confident = weak.max(-1) >= lesson.method.unlabelled.confidence
  return lesson.match(logits, jnp.argmax(weak, -1), tells & confident)


class Term(NamedTuple):
  """What a field of config.Unlabelled, a factor, multiplies.

  Attributes:
    loss: Lesson -> (the segmentor's loss, the discriminator's, two metrics).
    metrics: their names.
    due: in which turns it is taken.
  """

  loss: Callable
  metrics: tuple[str, str]
  due: Callable = lambda turn: turn.segmentor


TERMS = {
    'adversarial': Term(
        adversarial, ('unlabelled_adversarial_loss', 'd_unlabelled'),
        lambda turn: turn.adversary,
    ),
    'self_training': Term(
        self_training, ('self_training_loss', 'self_training_share'),
        lambda turn: turn.segmentor and turn.adversary,
    ),
    'mean_teacher': Term(
        mean_teacher, ('mean_teacher_loss', 'mean_teacher_agreement')
    ),
    'fixmatch': Term(fixmatch, ('fixmatch_loss', 'fixmatch_share')),
}


def taught(losses):
  """`losses`, to which what unlabelled images teach is added.

  Where they are of another domain, `across_domains` takes the function's place
  as soon as there is an adversary; where they teach nothing it is as it was.
  Otherwise its batch has 'unlabelled_image' [B,H,W,3] and 'unlabelled_label'
  [B,H,W], 0 or void, too.
  """
  def both(segmentor, discriminator, taps, **given):
    options, turn = given['method'].unlabelled, given['turn']
    other = options.another_domain and turn.adversary
    (one, two), (model_state, metrics) = (across_domains if other else losses)(
        segmentor, discriminator, taps, **given
    )
    if options.teaches:
      own = {'state': with_key(given['state'], 5)}
      more, told = learn(Lesson(segmentor, discriminator, **given | own))
      one, two, metrics = one + more[0], two + more[1], metrics | told
    return (one, two), (model_state, metrics)

  return both


def learn(lesson: Lesson):
  """((what is added to each network's loss), metrics) of a step.

  Metrics have the same names whosever turn it is; nan where nothing is known.
  """
  options, one, two, metrics = lesson.method.unlabelled, _NOTHING, _NOTHING, {}
  begun = jnp.float32(lesson.state.step >= options.start)
  for name, term in TERMS.items():
    if factor := getattr(options, name):
      told = _UNKNOWN, _UNKNOWN
      if term.due(lesson.turn):
        more, other, *told = term.loss(lesson)
        own = factor if name == 'adversarial' else factor * begun
        one, two = one + own * more, two + factor * other
      metrics |= dict(zip(term.metrics, told, strict=True))
  return (one, two), metrics


def check(method: Method, crop: tuple[int, int]):
  """Refuses a discriminator that can't say which pixels it believes.

  Args:
    method: what is trained.
    crop: height and width of a training crop.

  Raises:
    UserError: it has one logit an image, and masks are wanted.
  """
  if not method.unlabelled.self_training:
    return
  depth = method.segmentor.num_classes
  depth *= 3 if method.adversary.encoding == 'product' else 1
  shapes = (1, *sides(crop, method.segmentor.stride), depth), (1, *crop, 3)
  logits, _ = jax.eval_shape(
      method.discriminator.init_with_output, jax.random.key(0),
      *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes),
  )
  if logits.ndim < 3:
    raise UserError(
        f'--unlabelled.self-training is {method.unlabelled.self_training:g}: '
        'the discriminator has one logit an image and cannot say which pixels '
        'are true: give --adversary.discriminator patch, or 0'
    )
