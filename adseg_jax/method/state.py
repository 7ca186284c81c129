"""The explicit state of a run, and its beginning."""

import dataclasses

import jax
import jax.numpy as jnp
import optax
from flax import struct

from adseg_jax.method import average, strength
from adseg_jax.method.method import Method
from adseg_jax.method.optimizers import check_layers, direction


@struct.dataclass
class Network:
  """One network while it trains.

  Attributes:
    params: its parameters.
    model_state: its other variables, such as batch statistics.
    optimizer_state: optax's.
    average: moving average of its variables, {'params': ..., ...}, or None.
  """

  params: dict
  model_state: dict
  optimizer_state: optax.OptState
  average: dict | None = None


@struct.dataclass
class TrainState:
  """Everything that changes while training.

  Attributes:
    step: int32 scalar, the number of steps taken.
    key: typed PRNG key; it never changes: randomness is a function of
      (key, step, position).
    segmentor: Network.
    discriminator: Network.
    lambda_: float32 scalar where adversary.pull moves it; None: constant.
  """

  step: jax.Array
  key: jax.Array
  segmentor: Network
  discriminator: Network
  lambda_: jax.Array | None = None


def present(state):
  """The state as dicts without what is None: off, it leaves no trace on disk.

  Checkpoints from before there was such a thing are then as those of now.
  """
  if not isinstance(state, (TrainState, Network)):
    return state
  return {
      field.name: present(value) for field in dataclasses.fields(state)
      if (value := getattr(state, field.name)) is not None
  }


def filled(state, found):
  """What `present` was given, from its dicts and a state of that structure."""
  if not isinstance(state, (TrainState, Network)):
    return found
  return state.replace(**{
      name: filled(getattr(state, name), value)
      for name, value in found.items()
  })


def _network(variables, update, name: str) -> Network:
  variables = dict(variables)
  params = variables.pop('params')
  check_layers(update, params, name)
  return Network(params, variables, direction(update).init(params))


def init_state(key, method: Method, image_size: tuple[int, int]) -> TrainState:
  """The state before the first step, for training crops of a size.

  The two networks start from keys of their own; the key is a typed one.

  Raises:
    UserError: an optimiser names a layer that its network has not.
  """
  segmentor_key, discriminator_key = jax.random.split(key)
  images = jnp.zeros((1, *image_size, 3))
  segmentor = method.segmentor.init(segmentor_key, images, train=False)
  logits = jax.eval_shape(
      lambda v: method.segmentor.apply(v, images, train=False), segmentor
  )
  depth = logits.shape[-1]
  if method.adversary.encoding == 'product':
    depth *= images.shape[-1]
  maps = jnp.zeros((*logits.shape[:-1], depth))
  discriminator = method.discriminator.init(discriminator_key, maps, images)
  optimizer = method.optimizer
  segmentor = _network(segmentor, optimizer.segmentor, 'segmentor')
  return TrainState(
      jnp.zeros((), jnp.int32), key,
      average.begin(segmentor) if method.average else segmentor,
      _network(discriminator, optimizer.discriminator, 'discriminator'),
      strength.begin(method.adversary),
  )


def step_key(state: TrainState):
  """The key of what is random in the segmentor in the state's next step.

  A step is folded into a key of its own, the third beside the two that the
  networks begin with: split(key)[i] is fold_in(key, i).
  """
  return jax.random.fold_in(jax.random.fold_in(state.key, 2), state.step)


def image_keys(state: TrainState, count: int, axis_name: str | None):
  """Keys [count] of what is random in the images of the state's next step.

  Of this device's images; by their place in the whole batch, so that how it is
  split over devices does not matter. The fourth key beside `step_key`'s.
  """
  key = jax.random.fold_in(jax.random.fold_in(state.key, 3), state.step)
  first = count * jax.lax.axis_index(axis_name) if axis_name else 0
  places = first + jnp.arange(count)
  return jax.vmap(lambda place: jax.random.fold_in(key, place))(places)


def with_key(state: TrainState, place: int) -> TrainState:
  """The state with a key of its own, for what is random beside these.

  Of the places 0 to 3 are taken, as above; 4 is `accumulation`'s, 5 that of
  images without labels.
  """
  return state.replace(key=jax.random.fold_in(state.key, place))


# init_state runs once, so that compiling it in full would take far longer than
# running it. Not optimised at all, it would take over ten seconds on two cores
# for the parameters of FCN-32s.
initialize = jax.jit(
    init_state, static_argnums=(1, 2),
    compiler_options={'xla_backend_optimization_level': 1},
)
