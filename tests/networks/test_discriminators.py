import jax
import jax.numpy as jnp
import numpy as np
import pytest
from variables import noise

from adseg_jax.networks.discriminators import DISCRIMINATORS
from adseg_jax.networks.layers import convolve

# Parameters with one logit, calculated from the papers' layer tables.
PARAMETERS = [
    ('two_branch', 8, 1_667_265), ('two_branch', 21, 1_688_065),
    ('large_fov', 21, 2_346_561), ('large_fov', 63, 2_382_849),
    ('large_fov_light', 21, 869_185), ('large_fov_light', 63, 905_473),
    ('small_fov', 21, 1_572_289), ('small_fov', 63, 1_608_577),
    ('small_fov_light', 21, 490_177), ('small_fov_light', 63, 526_465),
    ('patch', 21, 2_783_169),
]
FIELDS_OF_VIEW = [
    ('large_fov', 34), ('large_fov_light', 34),
    ('small_fov', 18), ('small_fov_light', 18),
]


def random(seed, *shape):
  return np.random.default_rng(seed).random(shape, np.float32)


def initialized(name, maps, images, **options):
  module = DISCRIMINATORS[name](**options)
  return module, noise(
      jax.eval_shape(module.init, jax.random.key(0), maps, images)
  )


@pytest.mark.parametrize('name,depth,expected', PARAMETERS)
def test_parameter_count(name, depth, expected):
  shapes = jax.eval_shape(
      DISCRIMINATORS[name]().init, jax.random.key(0),
      random(0, 1, 8, 8, depth), random(1, 1, 32, 32, 3),
  )
  assert sum(p.size for p in jax.tree.leaves(shapes)) == expected


def support(field):
  """Bounding box (rows, columns) of what is not zero in [H,W]."""
  where = np.argwhere(np.asarray(field))
  return tuple(where.max(0) - where.min(0) + 1)


@pytest.mark.parametrize('name,expected', FIELDS_OF_VIEW)
def test_field_of_view_by_the_gradients_support(name, expected):
  """What one output of the last convolution, before the average, depends on.

  All weights are positive, so that no path cancels; a pool passes its
  gradient to one pixel of four, so the support is collected over inputs.
  """
  maps, images = random(1, 1, 64, 64, 2), random(2, 1, 256, 256, 3)
  module, variables = initialized(name, maps, images, width=0.05)
  variables = jax.tree.map(lambda p: np.abs(p) + 0.01, variables)
  last = f'conv{len(module.layers)}'

  def output(maps):
    _, seen = module.apply(variables, maps, images, capture_intermediates=True)
    features = seen['intermediates'][last]['__call__'][0]
    kernel = variables['params']['logit']['kernel']
    return convolve(features, kernel)[0, 8, 8, 0]

  def reached(seed):
    noise = jax.random.uniform(jax.random.key(seed), maps.shape)
    return jnp.abs(jax.grad(output)(noise)).sum((0, 3))

  total = jax.jit(lambda: jax.lax.map(reached, jnp.arange(24)).sum(0))()
  assert support(total) == (expected, expected)


@pytest.mark.parametrize('name', DISCRIMINATORS)
def test_images_of_any_size_do_not_mix_within_a_batch(name):
  maps, images = random(1, 2, 33, 18, 4), random(2, 2, 133, 75, 3)
  module, variables = initialized(name, maps, images, width=0.1)
  apply = jax.jit(module.apply)
  logits = apply(variables, maps, images)
  assert logits.shape == ((2, 33, 18) if name == 'patch' else (2,))
  assert np.isfinite(logits).all()
  # Another second image.
  maps[1], images[1] = 3 * maps[0], 3 * images[0]
  others = apply(variables, maps, images)
  np.testing.assert_array_equal(others[0], logits[0])
  assert np.abs(others[1] - logits[1]).max() > 1e-3


@pytest.mark.parametrize('name', ['two_branch', 'large_fov', 'patch'])
def test_a_map_of_one_pixel(name):
  maps, images = random(1, 2, 1, 1, 4), random(2, 2, 5, 7, 3)
  module, variables = initialized(name, maps, images, width=0.1)
  logits = jax.jit(module.apply)(variables, maps, images)
  assert logits.shape == ((2, 1, 1) if name == 'patch' else (2,))
  assert np.isfinite(logits).all()


def test_two_branch_accepts_a_map_of_another_resolution():
  logits, _ = jax.eval_shape(
      DISCRIMINATORS['two_branch'](width=0.1).init_with_output,
      jax.random.key(0), random(1, 1, 8, 8, 3), random(2, 1, 64, 64, 3),
  )
  assert logits.shape == (1,)


def test_two_branch_reads_both_joining_the_image_channels_first():
  maps, images = random(1, 1, 8, 8, 3), random(2, 1, 32, 32, 3)
  module, variables = initialized('two_branch', maps, images)
  pull = jax.jit(jax.grad(
      lambda m, i, v: module.apply(v, m, i)[0], (0, 1)
  ))
  assert all(np.abs(g).max() > 0 for g in pull(maps, images, variables))
  params = variables['params']
  kernel = np.array(params['joint1']['kernel'])
  kernel[:, :, 64:] = 0
  params = params | {'joint1': params['joint1'] | {'kernel': kernel}}
  of_maps, of_images = pull(maps, images, {'params': params})
  assert np.abs(of_maps).max() == 0 < np.abs(of_images).max()


def test_two_branch_tells_several_maps_of_an_image_as_it_tells_each():
  maps = tuple(random(1, 2, 3, 8, 8, 3))
  images = random(2, 3, 32, 32, 3)
  module, variables = initialized('two_branch', maps[0], images, width=0.3)
  apply = jax.jit(module.apply)
  for found, one in zip(apply(variables, maps, images), maps, strict=True):
    np.testing.assert_allclose(
        found, apply(variables, one, images), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize('image,size', [
    ((128, 128), (16, 16)), ((96, 160), (24, 40)),
])
def test_patch_has_a_logit_of_its_own_for_each_32_pixels(image, size):
  """At any stride of the maps: as many as Hung et al. have at that size."""
  count = 40
  maps, images = random(1, count, *size, 3), random(2, count, *image, 3)
  module, variables = initialized('patch', maps, images, width=0.3)
  logits = np.asarray(jax.jit(module.apply)(variables, maps, images))
  assert logits.shape == (count, *size)
  flat = (logits - logits.mean(0)).reshape(count, -1)
  found = np.linalg.svd(flat, compute_uv=False)
  expected = -(-image[0] // 32) * -(-image[1] // 32)
  assert (found > 1e-4 * found[0]).sum() == expected
