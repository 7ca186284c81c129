import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adseg_jax.segmentors import downsample_labels, resize_logits


def test_labels_are_picked_at_the_middle():
  labels = jnp.arange(6 * 9).reshape(1, 6, 9)
  np.testing.assert_array_equal(
      downsample_labels(labels, 4), [[[2 * 9 + 2, 2 * 9 + 6]]]
  )
  np.testing.assert_array_equal(downsample_labels(labels, 1), labels)


@pytest.mark.parametrize('size', [(16, 24), (23, 31)])
@pytest.mark.parametrize('stride', [4, 8])
def test_labels_have_the_size_of_logits_and_no_new_ids(rng, size, stride):
  labels = rng.choice(np.array([0, 7, 255]), (2, *size))
  found = downsample_labels(jnp.asarray(labels), stride)
  assert found.shape == (2, size[0] // stride, size[1] // stride)
  assert set(np.unique(found)) <= {0, 7, 255}


def test_resized_logits_align_with_downsampled_labels():
  """Half a plane of each class comes back where it was."""
  labels = jnp.zeros((1, 16, 32), jnp.int32).at[:, :, 12:].set(1)
  logits = jax.nn.one_hot(downsample_labels(labels, 4), 2)
  back = resize_logits(logits, (16, 32)).argmax(-1)
  np.testing.assert_array_equal(back, labels)


def test_resized_logits_keep_their_mean_and_their_range(rng):
  logits = jnp.asarray(rng.normal(size=(2, 5, 6, 3)), jnp.float32)
  back = resize_logits(logits, (20, 24))
  assert back.shape == (2, 20, 24, 3)
  assert back.max() <= logits.max() and back.min() >= logits.min()
  np.testing.assert_allclose(
      back.mean((1, 2)), logits.mean((1, 2)), atol=1e-5
  )
