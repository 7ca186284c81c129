"""A 1x1 convolution as a product of two matrices."""


def convolve(x, kernel):
  """[B,H,W,I], [1,1,I,O] -> [B,H,W,O].

  Over pixels as one axis: of three, XLA's product for the kernel's gradient
  takes up to twice as long.
  """
  *pixels, i = x.shape
  return (x.reshape(-1, i) @ kernel[0, 0]).reshape(*pixels, -1)
