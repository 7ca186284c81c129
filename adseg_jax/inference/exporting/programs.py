"""A segmentor as a StableHLO program and as a TensorFlow SavedModel.

Both take images uint8 [B,H,W,3] of any batch, height and width, and give
labels uint8 [B,H,W] and probabilities float32 [B,H,W,C].
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from jax.extend.mlir.dialects import stablehlo

from adseg_jax.evaluation.inference import forward
from adseg_jax.evaluation.trained import Trained
from adseg_jax.networks.layers import resize

PLATFORMS = 'cpu', 'cuda', 'tpu'


def segment(variables, images, *, segmentor, size=None):
  """Images uint8 [B,H,W,3] -> (labels, probabilities).

  The size is the height and width that the segmentor sees; None: theirs.
  """
  own = images.shape[1:3]
  if size:
    images = jnp.clip(jax.image.resize(
        images.astype(jnp.float32), (images.shape[0], *size, 3), 'cubic',
        antialias=True,
    ), 0, 255)
  maps = forward(variables, images, segmentor=segmentor)
  if size:
    maps = resize(maps, own)
  return jnp.argmax(maps, -1).astype(jnp.uint8), maps


def _export(function, *before) -> export.Exported:
  """Exports (*before, images), images of any batch, height and width."""
  sides = export.symbolic_shape('b, h, w')
  images = jax.ShapeDtypeStruct((*sides, 3), jnp.uint8)
  return export.export(jax.jit(function), platforms=PLATFORMS)(*before, images)


def to_stablehlo(trained: Trained) -> bytes:
  """What `jax.export.deserialize` reads: images -> (labels, probabilities).

  The weights are inside.
  """
  return _export(functools.partial(
      segment, jax.tree.map(jnp.asarray, trained.variables),
      segmentor=trained.segmentor, size=trained.size,
  )).serialize()


def write_saved_model(path: str, trained: Trained):
  """A SavedModel: images -> {'labels': ..., 'probabilities': ...}.

  Its one operation is the one that jax2tf writes. jax2tf itself writes a
  StableHLO of the last weeks, which a TensorFlow of the same day can't read;
  here it is written in the oldest version that can be, as text and again.
  """
  import tensorflow as tf
  from tensorflow.compiler.tf2xla.python import xla

  tf.get_logger().setLevel('ERROR')  # it tells where it wrote its files
  exported = _export(functools.partial(
      segment, segmentor=trained.segmentor, size=trained.size
  ), jax.tree.map(
      lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype),
      trained.variables,
  ))
  program = stablehlo.serialize_portable_artifact_str(
      exported.mlir_module(),
      stablehlo.get_version_from_compatibility_requirement(
          stablehlo.StablehloCompatibilityRequirement.MAX
      ),
  )
  model = tf.Module()
  model.variables_ = [
      tf.Variable(np.asarray(leaf), trainable=False)
      for leaf in jax.tree.leaves(trained.variables)
  ]

  images = tf.TensorSpec((None, None, None, 3), tf.uint8, 'images')

  @tf.function(input_signature=[images], autograph=False)
  def call(images):
    values = [*model.variables_, images]
    labels, probabilities = xla.call_module(
        [values[index] for index in exported.module_kept_var_idx],
        version=exported.calling_convention_version, module=program,
        Tout=(tf.uint8, tf.float32),
        Sout=((None,) * 3, (None,) * 3 + (len(trained.classes),)),
        platforms=tuple(name.upper() for name in PLATFORMS),
    )
    return {'labels': labels, 'probabilities': probabilities}

  model.__call__ = call
  tf.saved_model.save(model, path, signatures=call)
