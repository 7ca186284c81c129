import numpy as np
import pytest
from fake_run import label_map
from PIL import Image

from adseg_jax.errors import UserError
from adseg_jax.reporting import panels
from adseg_jax.reporting.arms import study
from adseg_jax.reporting.runs import read_runs


def _study(folders):
  return study(read_runs(folders))


def _share(ours, theirs):
  """Loops over pixels; the truth of every fake run is label_map(1)."""
  truth, differ, count = label_map(1), 0, 0
  for place in np.ndindex(truth.shape):
    if truth[place] != 255:
      count += 1
      differ += ours[place] != theirs[place]
  return differ / count


def test_the_seed_that_differs_most_is_shown(folders):
  # fake_run: the control's prediction is label_map(20 + seed).
  ours = [label_map(10), (label_map(21) + 1) % 3, label_map(12)]
  for guess, folder in zip(ours, folders[3:], strict=True):
    Image.fromarray(guess).save(folder / 'panels' / 'one_prediction.png')
  (pair,) = panels.most_different(_study(folders))
  shares = [_share(ours[k], label_map(20 + k)) for k in range(3)]
  assert pair.run == 'seed 1' and np.argmax(shares) == 1
  assert pair.share == pytest.approx(max(shares))
  np.testing.assert_array_equal(pair.ours, ours[1])
  np.testing.assert_array_equal(pair.theirs, label_map(21))


def test_who_is_right_by_hand():
  pair = panels.Pair(
      'x', 'seed 0', None, 0.0,
      truth=np.array([[0, 0, 0, 0, 255]], np.uint8),
      ours=np.array([[0, 0, 1, 1, 0]], np.uint8),
      theirs=np.array([[0, 1, 0, 2, 1]], np.uint8),
  )
  assert panels.who_is_right(pair).tolist() == [[255, 0, 1, 2, 255]]


def test_the_most_different_image_comes_first(pair):
  for folder, guess in zip(pair, (10, 20), strict=True):
    for name, changed in (('half', 3), ('none', 0)):
      prediction = label_map(10)
      if guess == 20:
        prediction[:changed] = (prediction[:changed] + 1) % 3
      for kind, picture in (
          ('truth', label_map(1)), ('prediction', prediction),
          ('image', np.zeros((6, 8, 3), np.uint8)),
      ):
        Image.fromarray(picture).save(folder / 'panels' / f'{name}_{kind}.png')
  found = panels.most_different(_study(pair))
  assert {one.name for one in found} == {'half', 'none', 'one'}
  shares = [one.share for one in found]
  assert shares == sorted(shares, reverse=True) and shares[-1] == 0
  shown = panels.differing(_study(pair))
  assert [title.partition(',')[0] for title in shown] == [
      one.name for one in found[:2]
  ]


def test_without_a_common_seed_the_main_arm_is_shown(new_run):
  found = _study([new_run('a'), new_run('b', weight=0.0, seed=4)])
  assert panels.most_different(found) == []
  assert panels.differing(found) == {}
  (shown,) = panels.kept(found).values()
  assert [picture.caption for picture in shown] == [
      'image', 'truth', 'prediction'
  ]


def test_images_of_another_size_are_left_out(pair):
  for folder in pair:
    Image.fromarray(label_map(1)[:3]).save(
        folder / 'panels' / 'one_truth.png'
    )
  assert panels.most_different(_study(pair)) == []


def test_a_damaged_picture_is_named(pair):
  path = pair[1] / 'panels' / 'one_prediction.png'
  path.write_text('no picture')
  with pytest.raises(UserError, match=r'one_prediction\.png can not be read'):
    panels.differing(_study(pair))


def test_overviews_are_of_one_seed(folders):
  for folder in folders:
    (folder / 'overview').mkdir()
    Image.fromarray(label_map(1)).save(folder / 'overview' / 'prediction.png')
  _, shown = panels.overview(_study([*folders[1:3], *folders[3:]]))
  assert {'adversary.weight 0, seed 1', 'adversary.weight 0.1, seed 1'} <= {
      picture.caption for picture in shown
  }
