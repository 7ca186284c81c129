"""This project's side of the benchmark: the train step that users run."""

import dataclasses
import functools
import time

from adseg_jax import environment

with environment.importing():  # as the experiment scripts do
  import jax
  import jax.numpy as jnp
  import numpy as np
  import optax

  from adseg_jax.config import Update
  from adseg_jax.method.method import make_method
  from adseg_jax.method.state import initialize
  from adseg_jax.method.step import train_step
  from adseg_jax.method.turns import turns
  from adseg_jax.settings import from_dict
  from adseg_jax.training import parallel
  from benchmarking import worker


def device() -> dict:
  """Where JAX computes."""
  one = jax.devices()[0]
  return {'platform': one.platform, 'hardware': one.device_kind}


def _devices():
  return jax.local_devices()[:1]


def _method(case):
  return make_method(from_dict(case['experiment']), case['classes'])


def _state(case, method):
  """The same at every call."""
  state = initialize(jax.random.key(0), method, tuple(case['crop']))
  return parallel.place(state, _devices())


def _batch(case, seed=0):
  images, labels = worker.batch_of(case, seed)
  return {'image': images, 'label': labels}


class Runner:
  """The step of a case, and what is measured of it."""

  def __init__(self):
    self.turn = worker.Turn()

  def start(self, case: dict) -> dict:
    """Builds and makes the first step.

    Returns:
      'time' when the first step was done; 'first', its seconds.
    """
    self.precision = case['experiment'].get('precision', 'float32')
    self.method, self.cycle = _method(case), worker.cycle(case)
    self.taken = 0
    self.train_step = parallel.make_train_step(self.method, _devices())
    self.state = _state(case, self.method)
    self.batch = jax.device_put(parallel.shard(_batch(case), 1))
    begin = time.perf_counter()
    self.step()
    self.wait()
    return {'time': time.time(), 'first': time.perf_counter() - begin}

  def step(self):
    """Starts a step."""
    turn = turns(self.taken, self.method.adversary)
    self.state, self.metrics = self.train_step(self.state, self.batch, turn)
    self.taken += 1

  def wait(self):
    """Until all steps are done."""
    jax.block_until_ready((self.state, self.metrics))

  def steps(self, count: int) -> dict:
    """A turn: so many steps, or so many of each network."""
    return self.turn.take(self.step, self.wait, count * self.cycle)

  def memory(self) -> dict:
    """Peak bytes: of the process, and of a device with memory of its own."""
    found = jax.devices()[0].memory_stats() or {}
    return {
        'resident': worker.peak_memory(),
        'device': found.get('peak_bytes_in_use'),
    }

  def analyze(self) -> dict:
    """What XLA says of the compiled steps: mean FLOPs and most bytes."""
    programs = [
        parallel.make_program(
            self.method, turns(step, self.method.adversary), _devices()
        ).lower(self.state, self.batch).compile()
        for step in range(self.cycle)
    ]
    memory = [program.memory_analysis() for program in programs]
    return {
        'flops': np.mean([
            program.cost_analysis()['flops'] for program in programs
        ]),
        'arguments': max(one.argument_size_in_bytes for one in memory),
        'temporary': max(one.temp_size_in_bytes for one in memory),
    }

  def limits(self) -> dict:
    """FLOP/s of a large convolution and of a large matrix product."""
    kind = jnp.dtype(self.precision)

    def ready(function, *arrays):
      function = jax.jit(function)
      return lambda: function(*arrays).block_until_ready()

    def convolve(images, side, channels):
      return ready(
          lambda x, kernel: jax.lax.conv_general_dilated(
              x, kernel, (1, 1), 'SAME',
              dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
          ),
          jnp.ones((images, side, side, channels), kind),
          jnp.ones((3, 3, channels, channels), kind),
      )

    def multiply(rows):
      matrix = jnp.ones((rows, rows), kind)
      return ready(jnp.matmul, matrix, matrix)

    platform = 'cpu' if device()['platform'] == 'cpu' else 'gpu'
    found = worker.limits(platform, convolve, multiply)
    self.turn.rest()
    return found


def check(case: dict, inputs: str, outputs: str) -> dict:
  """Writes weights, and the losses and gradients of steps from them.

  Dropout is off, float32 is in full, crops are small; a batch for each seed.

  Args:
    case: what is measured.
    inputs: .npz file of the weights.
    outputs: .npz file of losses and gradients, STEP/SEED/NAME; an idle
      network's are 0.
  """
  case = worker.small(case)
  method = _checked(_method(case))
  state = _noisy(_state(case, method))
  np.savez(inputs, **_named(state, lambda network: network.params))
  with jax.default_matmul_precision('highest'):
    steps = {
        f'{first}/{seed}': step(state, _batch(case, seed))
        for first in worker.first_steps(case)
        for step in [jax.jit(functools.partial(
            train_step, method=method, turn=turns(first, method.adversary)
        ))] for seed in worker.SEEDS
    }
  np.savez(outputs, **{
      f'{place}/{name}': value for place, (new, metrics) in steps.items()
      for name, value in (
          _named(new, _trace) | {
              name: np.asarray(metrics[name]) for name in worker.LOSSES
          }
      ).items()
  })
  return {}


def _checked(method):
  """Without dropout, with optimisers whose state shows the gradient."""
  sgd = Update(learning_rate=0.0, momentum=0.9)
  segmentor = method.segmentor
  if hasattr(segmentor, 'dropout'):
    segmentor = segmentor.clone(dropout=0.0)
  optimizer = dataclasses.replace(
      method.optimizer, segmentor=sgd, discriminator=sgd
  )
  return dataclasses.replace(method, segmentor=segmentor, optimizer=optimizer)


def _noisy(state):
  """A little noise on all weights: what zeros multiply could not be seen."""
  rng = np.random.default_rng(0)

  def noisy(leaf):
    deviation = 0.3 / np.sqrt(np.prod(leaf.shape[:-1]))
    return leaf + rng.normal(0, deviation, leaf.shape).astype(leaf.dtype)

  return state.replace(**{
      name: network.replace(params=jax.tree.map(noisy, network.params))
      for name in ('segmentor', 'discriminator')
      for network in [getattr(state, name)]
  })


def _trace(network):
  """SGD's trace, which begins as the gradient."""
  return optax.tree.get(network.optimizer_state, 'trace')


def _named(state, part) -> dict:
  """Part of both networks by name, such as segmentor/features/conv1/kernel."""
  return {
      '/'.join([name, *(key.key for key in path)]): np.asarray(leaf)
      for name in ('segmentor', 'discriminator')
      for path, leaf in jax.tree_util.tree_leaves_with_path(
          part(getattr(state, name))
      )
  }


if __name__ == '__main__':
  runner = Runner()
  worker.serve({
      'device': device, 'check': check, 'start': runner.start,
      'steps': runner.steps, 'memory': runner.memory,
      'analyze': runner.analyze, 'limits': runner.limits,
  })
