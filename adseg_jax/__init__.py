"""Semantic segmentation trained against a discriminator, in JAX."""


def load(workdir, checkpoint: str = 'last', average: bool = False):
  """A trained segmentor as a compiled function.

    segment = adseg_jax.load('runs/earth')
    labels, probabilities = segment(image)

  Args:
    workdir: folder of a run.
    checkpoint: 'last', 'best' (by validation mean IoU) or a step.
    average: take the moving average of the weights, of a run that kept one.

  Returns:
    A `serving.Segment`: image uint8 [H,W,3] -> labels uint8 [H,W] and
    probabilities float32 [H,W,C], with `classes` and `palette`.

  Raises:
    UserError: the workdir or the checkpoint can't be read.
  """
  # JAX takes a second to import, and not every command needs it.
  from etils import epath

  from adseg_jax.inference.serving import Segment
  from adseg_jax.training.restore import restore

  folder = epath.Path(workdir).expanduser()
  return Segment(restore(folder, checkpoint, average))
