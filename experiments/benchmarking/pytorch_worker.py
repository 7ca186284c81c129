"""PyTorch's side of the benchmark; needs torch and NumPy only."""

import time

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarking import worker
from benchmarking.pytorch_step import Step


class Runner:
  """The step of a case in one variant, and what is measured of it."""

  def __init__(self):
    self.turn = worker.Turn()

  def start(self, case: dict, variant: str, platform: str) -> dict:
    """Builds and makes the first step, as the JAX side does."""
    torch.set_num_threads(worker.cores())
    torch.backends.cudnn.benchmark = True
    # JAX's default on such GPUs, too: TF32.
    torch.set_float32_matmul_precision('high')
    self.device, self.cycle = device_of(platform), worker.cycle(case)
    self.precision = case['experiment'].get('precision', 'float32')
    self.layout = (
        torch.contiguous_format if variant == 'eager' else torch.channels_last
    )
    self.train_step = Step(
        case['experiment'], case['classes'], self.device, self.layout,
        compiled=variant == 'compile',
    )
    self.batch = batch_of(case, self.device, self.layout)
    begin = time.perf_counter()
    self.step()
    self.wait()
    return {'time': time.time(), 'first': time.perf_counter() - begin}

  def step(self):
    """Starts a step."""
    self.train_step(*self.batch)

  def wait(self):
    """Until all steps are done."""
    if self.device == 'cuda':
      torch.cuda.synchronize()

  def steps(self, count: int) -> dict:
    """A turn: so many steps, or so many of each network."""
    return self.turn.take(self.step, self.wait, count * self.cycle)

  def memory(self) -> dict:
    """Peak bytes: of the process, and of the GPU where there is one."""
    on_gpu = self.device == 'cuda'
    return {
        'resident': worker.peak_memory(),
        'device': torch.cuda.max_memory_allocated() if on_gpu else None,
    }

  def count(self) -> dict:
    """FLOPs of a step: each convolution as it is written, tap by tap."""
    with FlopCounterMode(display=False) as counter:
      for _ in range(self.cycle):
        self.step()
    return {'flops': counter.get_total_flops() / self.cycle}

  def limits(self) -> dict:
    """FLOP/s of a large convolution and of a large matrix product."""
    options = {'device': self.device, 'dtype': getattr(torch, self.precision)}

    def ready(function, *arrays):
      def run():
        with torch.no_grad():
          function(*arrays)
        self.wait()
      return run

    def convolve(images, side, channels):
      kernel = torch.ones(channels, channels, 3, 3, **options)
      image = torch.ones(images, channels, side, side, **options)
      return ready(
          lambda x, k: torch.nn.functional.conv2d(x, k, padding=1),
          image.contiguous(memory_format=self.layout),
          kernel.contiguous(memory_format=self.layout),
      )

    def multiply(rows):
      matrix = torch.ones(rows, rows, **options)
      return ready(torch.matmul, matrix, matrix)

    found = worker.limits(
        'gpu' if self.device == 'cuda' else 'cpu', convolve, multiply
    )
    self.turn.rest()
    return found


def device_of(platform: str) -> str:
  """PyTorch's name of JAX's platform.

  Raises:
    RuntimeError: PyTorch finds no such device.
  """
  if platform == 'cpu':
    return 'cpu'
  if platform in ('gpu', 'cuda', 'rocm') and torch.cuda.is_available():
    return 'cuda'
  raise RuntimeError(f'PyTorch finds no {platform}, JAX does')


def batch_of(case, device, layout, kind=torch.float32, seed=0):
  """The batch of all workers: images [B,3,H,W], labels [B,H,W]."""
  images, labels = worker.batch_of(case, seed)
  images = torch.from_numpy(images).permute(0, 3, 1, 2).to(device, kind)
  return (
      images.contiguous(memory_format=layout),
      torch.from_numpy(labels).long().to(device),
  )


def check(case: dict, platform: str, inputs: str, outputs: str) -> dict:
  """Largest difference of JAX's losses and gradients from PyTorch's.

  PyTorch computes in float64. In float32, two pixels of a max pool that are
  equal but for rounding may change places; the one gradient that goes
  elsewhere moves the sum over a noisy image by a thousandth of its norm. So
  of a few small batches the one with the best agreement counts: a mistake
  shows in all of them.

  Args:
    case: what is measured.
    platform: JAX's.
    inputs: .npz file of the weights.
    outputs: .npz file of losses and gradients, STEP/SEED/NAME.

  Returns:
    'difference', the norm of a tensor's difference over the norm of
    PyTorch's, and 'where', the tensor with the largest.
  """
  torch.set_default_dtype(torch.float64)
  device, layout = device_of(platform), torch.contiguous_format
  step = Step(case['experiment'], case['classes'], device, layout)
  if hasattr(step.segmentor, 'dropout'):
    step.segmentor.dropout.p = 0.0
  parameters = _parameters(step)
  found = []
  for first in worker.first_steps(case):
    by_seed = []
    for seed in worker.SEEDS:
      _carry_over(parameters, inputs)
      step.taken = first
      losses = step(*batch_of(
          worker.small(case), device, layout, torch.float64, seed
      ))
      values = dict(zip(worker.LOSSES, losses, strict=True))
      values |= {
          name: torch.zeros_like(one) if one.grad is None else one.grad
          for name, one in parameters.items()
      }
      by_seed.append(_compared(values, outputs, f'{first}/{seed}/'))
    found.append(min(by_seed, key=lambda one: one['difference']))
  return max(found, key=lambda one: one['difference'])


def _parameters(step):
  return {
      f'{network}.{name}': parameter
      for network in ('segmentor', 'discriminator')
      for name, parameter in getattr(step, network).named_parameters()
  }


def _carry_over(parameters, inputs):
  """Sets all parameters to JAX's."""
  with np.load(inputs) as weights, torch.no_grad():
    if odd := parameters.keys() ^ set(map(theirs, weights.files)):
      raise ValueError(f'only one side has {", ".join(odd)}')
    for name in weights.files:
      parameters[theirs(name)].copy_(torch.from_numpy(ours(weights[name])))


def _compared(values, outputs, prefix) -> dict:
  """The largest difference of a step from JAX's on the same batch."""
  with np.load(outputs) as wanted:
    differences = {
        name: difference(ours(wanted[name]), values[theirs(
            name.removeprefix(prefix)
        )].cpu().numpy())
        for name in wanted.files if name.startswith(prefix)
    }
  worst = max(differences, key=differences.get)
  return {
      'difference': differences[worst], 'where': worst.removeprefix(prefix)
  }


def theirs(name: str) -> str:
  """A tensor's name in JAX -> its name in PyTorch."""
  name = name.replace('/', '.').replace('kernel', 'weight')
  return name.replace('norm.scale', 'norm.weight')


def ours(value):
  """JAX's kernel [h,w,I,O] or [I,O] -> PyTorch's [O,I,h,w]; else as it is."""
  if value.ndim == 2:
    value = value[None, None]
  return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value


def difference(one, other) -> float:
  """Norm of the difference over the norm of the other."""
  least = np.finfo(np.float32).tiny
  return float(
      np.linalg.norm(one - other) / max(np.linalg.norm(other), least)
  )


if __name__ == '__main__':
  runner = Runner()
  worker.serve({
      'check': check, 'start': runner.start, 'steps': runner.steps,
      'memory': runner.memory, 'limits': runner.limits, 'count': runner.count,
  })
