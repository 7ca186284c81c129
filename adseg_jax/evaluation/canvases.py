"""Which pictures share a canvas, and so a compiled program.

The only place that decides how much is padded. A picture's results do not
depend on it: see `adseg_jax.networks.extents`.
"""

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from adseg_jax.networks.extents import ceil_to

# Sides are multiples of this: of every segmentor's period.
MULTIPLE = 32
# What compiling a program is worth, in padded pixels: both take about five
# seconds of a core, for the multi-scale segmentor at half width.
PROGRAM = 5 * 2**20
# Pixels of a batch of canvases, at most, unless one canvas has more.
PIXELS = 2**22
# Canvases that merging begins with, at most: it compares them in pairs.
_MOST = 512


class Batch(NamedTuple):
  """Pictures of one call, on `count` canvases; the last ones may be blank."""

  indices: list[int]
  canvas: tuple[int, int]
  count: int


def fitting(size) -> tuple[int, int]:
  """The smallest canvas of a picture."""
  return tuple(ceil_to(side, MULTIPLE) for side in size)


def canvases(sizes) -> dict[tuple[int, int], list[int]]:
  """Canvas -> indices of its pictures, of which (height, width) are given.

  Two canvases are merged while that saves more by one program less than it
  costs in padding, the pair that saves most first.
  """
  groups = _smallest(sizes)
  sides = np.array(list(groups)).reshape(-1, 2)
  members = list(groups.values())
  while len(members) > 1:
    counts = np.array([len(part) for part in members])
    pixels = counts * sides.prod(1)
    merged = np.maximum(sides[:, None], sides)
    cost = (
        merged.prod(-1) * (counts[:, None] + counts)
        - pixels[:, None] - pixels + np.diag([np.inf] * len(members))
    )
    one, other = np.unravel_index(cost.argmin(), cost.shape)
    if cost[one, other] > PROGRAM:
      break
    sides[one] = merged[one, other]
    members[one] = sorted(members[one] + members.pop(other))
    sides = np.delete(sides, other, 0)
  return {
      tuple(canvas): part
      for canvas, part in zip(sides.tolist(), members, strict=True)
  }


def _smallest(sizes):
  """Canvas -> indices, each picture on a canvas of about its own size."""
  multiple = MULTIPLE
  while True:
    groups = defaultdict(list)
    for index, size in enumerate(sizes):
      groups[tuple(ceil_to(side, multiple) for side in size)].append(index)
    if len(groups) <= _MOST:
      return groups
    multiple *= 2


def batches(sizes, most: int, devices: int = 1) -> list[Batch]:
  """Every picture in one batch; those of a canvas have one count.

  A batch has `most` canvases at most, a multiple of the devices that share it.
  """
  found = []
  # The most work first: the programs of the rest compile meanwhile.
  groups = sorted(
      canvases(sizes).items(),
      key=lambda item: (-np.prod(item[0]) * len(item[1]), item[0]),
  )
  for canvas, indices in groups:
    count = _count(len(indices), canvas, most, devices)
    found += [
        Batch(indices[first:first + count], canvas, count)
        for first in range(0, len(indices), count)
    ]
  return found


def _count(pictures: int, canvas, most: int, devices: int) -> int:
  """Canvases of each batch: as few blank ones as can be, then many."""
  fit = ceil_to(max(1, PIXELS // (canvas[0] * canvas[1])), devices)
  fit = min(most, fit, ceil_to(pictures, devices))
  return min(
      range(fit, (fit - 1) // 2, -devices),
      key=lambda count: ceil_to(pictures, count),
  )
