"""What both sides of the benchmark share; needs NumPy only.

A worker is a process that measures one variant. It answers commands, a JSON
object a line, and sleeps on its pipe between them.
"""

import json
import os
import resource
import sys
import time
import traceback

import numpy as np

# What a machine's best code is measured with: a forward convolution 3x3 on 256
# channels, as in the middle of VGG-16, and a product of square matrices.
CONVOLUTION = {'cpu': (4, 56, 256), 'gpu': (64, 56, 256)}
MATRIX = {'cpu': 2048, 'gpu': 8192}
REPEATS = 2
LOSSES = 'segmentation_loss', 'adversarial_loss', 'discriminator_loss'
SEEDS = 0, 1, 2  # of the batches that both sides are checked on


def batch_of(case: dict, seed: int = 0):
  """A batch of noise: images [B,H,W,3] in 0..1, labels [B,H,W], some void."""
  rng = np.random.default_rng(seed)
  shape = case['batch'], *case['crop']
  labels = rng.integers(0, case['classes'], shape, np.int32)
  labels[rng.random(shape) < 0.05] = 255
  return rng.random((*shape, 3), np.float32), labels


def small(case: dict) -> dict:
  """The case on two images of a third the height and width, for the check."""
  return case | {'batch': 2, 'crop': [side // 3 for side in case['crop']]}


def first_steps(case: dict) -> list[int]:
  """The first step of each network's turn; one where both always learn."""
  every = case['experiment']['adversary']['alternate_every']
  return [0, every] if every else [0]


def cycle(case: dict) -> int:
  """Steps until the same network's turn begins again."""
  return 2 * case['experiment']['adversary']['alternate_every'] or 1


def limits(device: str, convolve, multiply) -> dict:
  """FLOP/s of a large convolution and of a large matrix product.

  Args:
    device: 'cpu' or 'gpu'.
    convolve: (images, side, channels) -> function that runs the convolution.
    multiply: rows -> function that runs the product.
  """
  images, side, channels = CONVOLUTION[device]
  rows = MATRIX[device]
  flops = 2 * images * side**2 * 9 * channels**2
  return {
      'convolution': _rate(flops, convolve(images, side, channels)),
      'matrix': _rate(2 * rows**3, multiply(rows)),
  }


def _rate(flops: int, run) -> float:
  """FLOP/s of the best of a few runs; `run` returns when it is done."""
  seconds = []
  for _ in range(REPEATS + 1):
    start = time.perf_counter()
    run()
    seconds.append(time.perf_counter() - start)
  return flops / min(seconds[1:])


def cores() -> int:
  """How many this process may use."""
  allowed = getattr(os, 'sched_getaffinity', None)  # not on every system
  return len(allowed(0)) if allowed else os.cpu_count()


def peak_memory() -> int:
  """Largest resident set of this process until now, in bytes."""
  unit = 1 if sys.platform == 'darwin' else 1024
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Turn:
  """Times steps, and the processor time that is used between turns."""

  def __init__(self):
    self.rested = None

  def take(self, step, wait, count: int) -> dict:
    """One step to warm up, then `count` timed ones.

    Args:
      step: starts a step.
      wait: returns when all steps are done.
      count: steps to time together.

    Returns:
      'seconds' a step; 'cores' that the process kept busy; 'idle', processor
      seconds that it used since its last turn, when others had theirs.
    """
    idle = 0.0 if self.rested is None else time.process_time() - self.rested
    step()
    wait()
    begin, busy = time.perf_counter(), time.process_time()
    for _ in range(count):
      step()
    wait()
    seconds = time.perf_counter() - begin
    self.rested = time.process_time()
    return {
        'seconds': seconds / count, 'idle': idle,
        'cores': (self.rested - busy) / seconds,
    }

  def rest(self):
    """Marks the end of other work than steps."""
    self.rested = time.process_time()


def serve(commands: dict):
  """Answers commands until the pipe is closed.

  Args:
    commands: name -> function of keyword arguments that returns a dict.
  """
  # Libraries may print: only answers go to the pipe.
  answers = os.fdopen(os.dup(1), 'w')
  os.dup2(2, 1)
  for line in sys.stdin:
    request = json.loads(line)
    try:
      answer = commands[request.pop('command')](**request)
    except Exception as error:
      traceback.print_exc()
      text = str(error).strip().splitlines() or ['']
      answer = {'error': f'{type(error).__name__}: {text[0]}'}
    print(json.dumps(answer), file=answers, flush=True)
