"""What images without labels teach, beside equations 1 and 2.

The adversarial loss of their maps, and self-training where the discriminator
believes them (Hung et al. 2018, arXiv:1802.07934); and two rivals that need no
discriminator: the mean teacher (Tarvainen and Valpola 2017, arXiv:1703.01780)
and FixMatch (Sohn et al. 2020, arXiv:2001.07685), for pixels.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from adseg_jax.errors import UserError
from adseg_jax.method import strength, views
from adseg_jax.method.domains import across_domains
from adseg_jax.method.encodings import VOID
from adseg_jax.method.forward import class_maps, judge, segment
from adseg_jax.method.losses import OBJECTIVES
from adseg_jax.method.method import Method
from adseg_jax.method.precision import cast
from adseg_jax.method.reduction import Mean, mean_cross_entropy, mean_over
from adseg_jax.method.state import TrainState, image_keys, with_key
from adseg_jax.networks.segmentors import downsample_labels
from adseg_jax.networks.segmentors.resolution import sides

_NOTHING, _NAN = np.float32(0), np.float32(np.nan)
# Of a term that is not taken.
_UNKNOWN = _NOTHING, _NOTHING, _NAN, _NAN


@dataclasses.dataclass(frozen=True, eq=False)
class Lesson:
  """A batch without labels, and what a step has to learn from it.

  Attributes:
    segmentor: parameters of s.
    discriminator: parameters of a.
    images: [B,H,W,3] in 0..1, this device's part.
    labels: int [B,h,w]: 0 within the images, void beyond them.
    mean: over the batch of all devices, of what lies within the images.
    state: TrainState, with the key of what is random here.
    method: static.
    axis_name: the mapped axis of devices, or None.
  """

  segmentor: dict
  discriminator: dict
  images: jax.Array
  labels: jax.Array
  mean: Mean
  state: TrainState
  method: Method
  axis_name: str | None

  @functools.cached_property
  def logits(self):
    """The segmentor's [B,h,w,C] as it trains."""
    return self.logits_of(self.images)

  def logits_of(self, images):
    """The same of other images; statistics are those of labelled ones."""
    return segment(
        self.segmentor, self.state, images, self.method, self.axis_name
    )[0]

  @functools.cached_property
  def strong(self):
    """Logits of strong views [B,h,w,C]; bool [B,h,w], what they can tell."""
    keys = image_keys(
        with_key(self.state, 0), len(self.images), self.axis_name
    )
    images, hidden = views.strong(
        self.images, keys, self.method.segmentor.stride
    )
    return self.logits_of(images), self.mean.valid & ~hidden

  def verdict(self, method: Method):
    """The discriminator's logits of the segmentor's maps."""
    maps, _ = class_maps(self.logits, self.labels, method)
    a = judge(
        self.discriminator, self.images, self.state, method, self.axis_name
    )
    return a(maps)[0]

  def cross_entropy(self, logits, classes, counts):
    """Of what counts: the loss as labels have it, its mean, and the share.

    Means are over all that lies within the images, so that what does not count
    weakens the loss.
    """
    labels = jnp.where(counts & self.mean.valid, classes, VOID)
    loss, told = mean_cross_entropy(logits, labels, self.mean, self.method)
    share = self.mean(jnp.float32(labels != VOID))
    return loss, told['segmentation_loss'], share


def adversarial(lesson: Lesson):
  """lambda bce(a(x, s(x)), 1) and, for a, bce(a(x, s(x)), 0), by a factor.

  As in the code of Hung et al., the discriminator sees these maps, too; here
  what they count is one factor for both.
  """
  adversary, options = lesson.method.adversary, lesson.method.unlabelled
  bce = OBJECTIVES[adversary.objective]
  fake = lesson.verdict(lesson.method)
  loss = lesson.mean(bce.segmentor(fake))
  one = strength.of(lesson.state, adversary) * loss
  # There is no true map: what the loss has for one is a constant.
  two = lesson.mean(bce.discriminator(jnp.zeros_like(fake), fake))
  return (
      options.adversarial * one, options.adversarial * two, loss,
      lesson.mean(bce.probability(fake)),
  )


def self_training(lesson: Lesson):
  """The segmentor's classes are labels where the discriminator is sure."""
  adversary, options = lesson.method.adversary, lesson.method.unlabelled
  # As they are: what the discriminator is shown otherwise is moved.
  as_it_is = dataclasses.replace(
      lesson.method, adversary=dataclasses.replace(adversary, augment=())
  )
  sure = OBJECTIVES[adversary.objective].probability(lesson.verdict(as_it_is))
  loss, *told = lesson.cross_entropy(
      lesson.logits, jnp.argmax(lesson.logits, -1), sure > options.trust
  )
  return _begun(lesson) * options.self_training * loss, _NOTHING, *told


def mean_teacher(lesson: Lesson):
  """Mean square of the difference to the average's probabilities.

  Of a strong view to those of the image, over classes.
  """
  method = lesson.method
  given = probabilities(lesson.state.segmentor.average, lesson.images, method)
  logits, tells = lesson.strong
  terms = ((jax.nn.softmax(logits) - given) ** 2).mean(-1)
  terms = jnp.where(tells, terms, 0)
  same = tells & (jnp.argmax(logits, -1) == jnp.argmax(given, -1))
  sums = method.adversary.reduction == 'sum'
  loss = lesson.mean(terms.sum((1, 2)) if sums else terms)
  return (
      _begun(lesson) * method.unlabelled.mean_teacher * loss, _NOTHING,
      lesson.mean(terms), lesson.mean(jnp.float32(same)),
  )


def fixmatch(lesson: Lesson):
  """The segmentor's confident classes are labels for a strong view."""
  method, options = lesson.method, lesson.method.unlabelled
  variables = {
      'params': jax.lax.stop_gradient(lesson.segmentor),
      **lesson.state.segmentor.model_state,
  }
  weak = probabilities(variables, lesson.images, method)
  logits, tells = lesson.strong
  loss, *told = lesson.cross_entropy(
      logits, jnp.argmax(weak, -1), tells & (weak.max(-1) >= options.confidence)
  )
  return _begun(lesson) * options.fixmatch * loss, _NOTHING, *told


# Field of config.Unlabelled -> function of a Lesson to (what is added to the
# segmentor's loss, to the discriminator's, two metrics); the metrics' names; in
# which turns it is taken.
TERMS = {
    'adversarial': (
        adversarial, ('unlabelled_adversarial_loss', 'd_unlabelled'),
        lambda turn: turn.adversary,
    ),
    'self_training': (
        self_training, ('self_training_loss', 'self_training_share'),
        lambda turn: turn.segmentor and turn.adversary,
    ),
    'mean_teacher': (
        mean_teacher, ('mean_teacher_loss', 'mean_teacher_agreement'),
        lambda turn: turn.segmentor,
    ),
    'fixmatch': (
        fixmatch, ('fixmatch_loss', 'fixmatch_share'),
        lambda turn: turn.segmentor,
    ),
}


def taught(losses):
  """`losses`, to which what unlabelled images teach is added.

  Where they are of another domain, `across_domains` takes the function's place
  as soon as there is an adversary; where they teach nothing it is as it was.
  Otherwise its batch has 'unlabelled_image' [B,H,W,3] and 'unlabelled_label'
  [B,H,W], 0 or void, too.
  """
  def both(
      segmentor, discriminator, taps, batch, *, state, method, turn, axis_name
  ):
    other = method.unlabelled.another_domain and turn.adversary
    (one, two), (model_state, metrics) = (across_domains if other else losses)(
        segmentor, discriminator, taps, batch, state=state, method=method,
        turn=turn, axis_name=axis_name,
    )
    if method.unlabelled.teaches:
      lesson = _lesson(
          segmentor, discriminator, batch, state, method, axis_name
      )
      more, told = learn(lesson, turn)
      one, two, metrics = one + more[0], two + more[1], metrics | told
    return (one, two), (model_state, metrics)

  return both


def learn(lesson: Lesson, turn):
  """((what is added to each network's loss), metrics) of a step.

  Metrics have the same names whosever turn it is; nan where nothing is known.
  """
  one, two, metrics = _NOTHING, _NOTHING, {}
  for name, (term, names, due) in TERMS.items():
    if getattr(lesson.method.unlabelled, name):
      more, other, *told = term(lesson) if due(turn) else _UNKNOWN
      one, two = one + more, two + other
      metrics |= dict(zip(names, told, strict=True))
  return (one, two), metrics


def probabilities(variables, images, method: Method):
  """The segmentor's [B,h,w,C] as it is used, without dropout."""
  params = cast(variables['params'], method.precision)
  logits = method.segmentor.apply(
      variables | {'params': params}, images, train=False
  )
  return jax.nn.softmax(cast(logits, 'float32'))


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
  shapes = [(1, *sides(crop, method.segmentor.stride), depth), (1, *crop, 3)]
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


def _lesson(segmentor, discriminator, batch, state, method, axis_name):
  labels = downsample_labels(batch['unlabelled_label'], method.segmentor.stride)
  return Lesson(
      segmentor, discriminator, batch['unlabelled_image'], labels,
      mean_over(labels, axis_name, batch.get('whole_unlabelled_label')),
      with_key(state, 5), method, axis_name,
  )


def _begun(lesson: Lesson):
  """1 from the step on at which labels of its own are worth something."""
  return jnp.float32(lesson.state.step >= lesson.method.unlabelled.start)
