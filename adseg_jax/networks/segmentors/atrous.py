"""Dilation in place of stride: the same kernels at more places.

Where a stride is left out, all layers behind it have their taps that much
farther apart, and see the same pixels (Chen et al. 2018, arXiv:1802.02611).
Weights stay what they are.
"""

from typing import NamedTuple


class Step(NamedTuple):
  """How a layer goes over its input.

  Attributes:
    stride: that is left of its own.
    dilation: step between its taps.
    after: what the dilation of layers behind it is.
  """

  stride: int
  dilation: int
  after: int


def steps(strides, start: int, most: int):
  """The Step of each of a chain of layers.

  Args:
    strides: of the layers, in order.
    start: pixels of the image for each of the chain's input.
    most: the same of its output, at most.
  """
  dilation = 1
  for stride in strides:
    if start * stride > most:
      yield Step(1, dilation, dilation * stride)
      dilation *= stride
    else:
      yield Step(stride, dilation, dilation)
      start *= stride
