"""Compiled train steps, from shapes alone, and what they would move."""

import math
import re

import jax
import jax.numpy as jnp

from adseg_jax.method.state import init_state
from adseg_jax.method.turns import turns
from adseg_jax.training import parallel

_COLLECTIVES = (
    'all-reduce|all-gather|all-to-all|reduce-scatter|collective-[a-z]+'
)


def state_shapes(method, crop):
  return jax.eval_shape(
      lambda key: init_state(key, method, crop), jax.random.key(0)
  )


def compiled_step(method, crop, count, images=1, turn=None):
  """The train step for so many devices, of so many images each.

  Args:
    turn: None: that of the first step.
  """
  shape = count, images, *crop
  batch = {
      'image': jax.ShapeDtypeStruct((*shape, 3), jnp.float32),
      'label': jax.ShapeDtypeStruct(shape, jnp.int32),
  }
  step = parallel.make_program(
      method, turn or turns(0, method.adversary), jax.local_devices()[:count]
  )
  return step.lower(state_shapes(method, crop), batch).compile()


def in_branches(program) -> set[str]:
  """Operations of a compiled program inside conditionals and loops."""
  parts = dict(re.findall(
      r'^(?:ENTRY )?%?([\w.-]+) \(.*\{\n((?:  .*\n)+)', program.as_text(), re.M
  ))
  found, inside = set(), {
      name for body in parts.values() for line in body.splitlines()
      if re.search(r' (?:while|conditional)\(', line)
      for name in _called(line)
  }
  while inside:
    body = parts[inside.pop()]
    found |= set(re.findall(r' ([a-z][\w-]*)\(', body))
    inside |= set(_called(body))
  return found


def _called(text):
  """Names of the computations that operations call."""
  called = re.findall(
      r'(?:calls|to_apply|body|condition|\w+_computation)=%?([\w.-]+)', text
  )
  for group in re.findall(r'branch_computations=\{(.*?)\}', text):
    called += [name.strip(' %') for name in group.split(',')]
  return called


def collectives(program) -> list[int]:
  """Bytes that each collective of a compiled program gives one device."""
  results = re.findall(
      rf'= (.*?) (?:{_COLLECTIVES})(?:-start)?\(', program.as_text()
  )
  return sorted(map(_bytes, results))


def _bytes(result: str) -> int:
  """Size of a result as XLA writes it: (f32[3,2]{1,0}, s32[])."""
  return sum(
      int(bits) // 8 * math.prod(int(n) for n in shape.split(',') if n)
      for bits, shape in re.findall(r'[a-z](\d+)\[([\d,]*)\]', result)
  )


def parameter_bytes(method, crop) -> int:
  state = state_shapes(method, crop)
  return sum(
      leaf.size * leaf.dtype.itemsize for leaf in
      jax.tree.leaves((state.segmentor.params, state.discriminator.params))
  )
