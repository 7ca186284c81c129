import blocks
import numpy as np
import pytest
from PIL import Image

import adseg_jax
from adseg_jax.commands import cli
from adseg_jax.errors import UserError
from adseg_jax.evaluation import predict as predicting


def predict(workdir, *words):
  cli._main(['predict', str(workdir), *map(str, words)])


def read(path, mode=None):
  with Image.open(path) as picture:
    return np.asarray(picture.convert(mode) if mode else picture)


@pytest.fixture
def photos(tmp_path):
  """Pictures of blocks: colour, grey, turned, in one pixel, and broken."""
  folder = tmp_path / 'photos'
  (folder / 'sub').mkdir(parents=True)
  image = blocks.example(np.random.default_rng(1))['image']
  picture = Image.fromarray(image)
  picture.save(folder / 'colour.png')
  picture.convert('L').save(folder / 'sub' / 'grey.png')
  deep = image[..., 0].astype(np.uint16) * 256
  Image.fromarray(deep).save(folder / 'sixteen.png')
  picture.convert('RGBA').save(folder / 'alpha.png')
  exif = Image.Exif()
  exif[0x0112] = 6
  picture.rotate(90, expand=True).save(folder / 'turned.png', exif=exif)
  picture.crop((5, 5, 6, 6)).save(folder / 'one.png')
  return folder, image


SAME = 'colour', 'sub/grey', 'sixteen', 'alpha', 'turned'


def test_every_kind_of_picture(trained_run, photos, tmp_path, capsys):
  folder, image = photos
  out = tmp_path / 'out'
  predict(trained_run, folder, '--output', out, '--probabilities')
  labels, probabilities = adseg_jax.load(trained_run)(image)
  for name in SAME:
    label = read(out / 'labels' / f'{name}.png')
    np.testing.assert_array_equal(label, labels)
    kept = np.load(out / 'probabilities' / f'{name}.npz')
    np.testing.assert_allclose(kept['probabilities'], probabilities, atol=1e-5)
    assert kept['classes'].tolist() == list(blocks.CLASSES)
    np.testing.assert_array_equal(
        read(out / 'labels' / f'{name}.png', 'RGB'),
        np.array(blocks.PALETTE)[label],
    )
    overlay = read(out / 'overlays' / f'{name}.jpg').astype(int)
    mixed = (image + np.array(blocks.PALETTE)[label]) / 2
    assert np.abs(overlay - mixed).mean() < 12  # JPEG, and noise
  assert read(out / 'labels/one.png').shape == (1, 1)
  assert capsys.readouterr().out == f'6 pictures: {out}\n'


def test_what_cannot_be_read_is_named_and_the_rest_is_done(
    trained_run, photos, tmp_path, capsys
):
  folder, _ = photos
  (folder / 'broken.jpg').write_text('text')
  out = folder / 'out'  # inside, and yet not read on the second run
  none = tmp_path / 'missing' / '*.png'
  for _ in range(2):
    with pytest.raises(UserError, match='skipped 2') as error:
      predict(trained_run, folder, none, '--output', out)
    assert 'broken.jpg' in str(error.value) and str(none) in str(error.value)
    shown = capsys.readouterr()
    assert 'broken.jpg: cannot identify' in shown.err
    assert shown.out == f'6 pictures: {out}\n'
    assert len(list((out / 'labels').rglob('*.png'))) == 6
  assert not (out / 'probabilities').exists()


def test_a_large_picture_goes_through_windows(
    trained_run, tmp_path, monkeypatch, capsys
):
  """And comes out as if it had been seen whole."""
  rng = np.random.default_rng(2)
  levels = rng.integers(0, 3, (45, 50)).repeat(8, 0).repeat(8, 1)
  noise = rng.integers(0, 56, (*levels.shape, 3))
  image = (100 * levels[..., None] + noise).astype(np.uint8)
  Image.fromarray(image).save(tmp_path / 'a.png')
  whole, _ = adseg_jax.load(trained_run)(image)
  monkeypatch.setattr(predicting, 'LARGEST', 10000)
  monkeypatch.setattr(predicting, 'WINDOW', (32, 64))
  predict(trained_run, tmp_path / 'a.png', '--output', tmp_path / 'out')
  label = read(tmp_path / 'out/labels/a.png')
  assert len(np.unique(label)) == 3
  assert (label == whole).mean() > 0.9999
  labels, _ = adseg_jax.load(trained_run)(image)
  np.testing.assert_array_equal(labels, label)


def test_parts_of_a_size_that_is_given(trained_run, photos, tmp_path, capsys):
  folder, image = photos
  seen, make = [], predicting.make_sliding

  def noted(trained, views, *more):
    seen.append(views.window)
    return make(trained, views, *more)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(predicting, 'make_sliding', noted)
    predict(trained_run, folder / 'colour.png', '--output', tmp_path / 'out',
            '--sliding', '16x24')
  assert seen == [(16, 24)]
  labels, _ = adseg_jax.load(trained_run)(image)
  found = read(tmp_path / 'out/labels/colour.png')
  assert (found == labels).mean() > 0.999


@pytest.mark.parametrize('largest', [predicting.LARGEST, 0])
def test_a_resized_run_answers_at_the_picture_s_size(
    resized_run, photos, tmp_path, monkeypatch, capsys, largest
):
  monkeypatch.setattr(predicting, 'LARGEST', largest)
  folder, image = photos
  predict(
      resized_run, folder / 'colour.png', '--output', tmp_path / 'out',
      '--probabilities',
  )
  labels, probabilities = adseg_jax.load(resized_run)(image)
  assert labels.shape == image.shape[:2]
  found = read(tmp_path / 'out/labels/colour.png')
  np.testing.assert_array_equal(found, labels)
  kept = np.load(tmp_path / 'out/probabilities/colour.npz')['probabilities']
  np.testing.assert_allclose(kept, probabilities, atol=1e-5)


def test_load_gives_classes_and_probabilities(trained_run):
  segment = adseg_jax.load(trained_run, 'best')
  assert segment.classes == blocks.CLASSES and segment.step == 120
  assert segment.palette == blocks.PALETTE
  example = blocks.example(np.random.default_rng(3))
  labels, probabilities = segment(example['image'])
  np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
  np.testing.assert_array_equal(labels, probabilities.argmax(-1))
  assert labels.dtype == np.uint8
  assert (labels == example['label'][..., 0]).mean() > 0.5
  for wrong in (example['image'] / 255.0, example['image'][..., 0],
                example['image'][:0]):
    with pytest.raises(ValueError, match=r'give uint8 \[H,W,3\]'):
      segment(wrong)


@pytest.mark.parametrize('words,message', [
    ([], 'give a workdir and pictures'),
    (['RUN'], 'give a workdir and pictures'),
    (['RUN', 'a.png'], '--output DIR'),
    (['RUN', 'PHOTO', '--output', 'out', '--sliding', '9'], '--sliding is 9: '),
    (['RUN', 'a.png', 'b/*.png', '--output', 'out'],
     r'a.png, b/\*.png: no picture there'),
    (['nowhere', 'PHOTO', '--output', 'out'], 'nowhere: no experiment.json'),
    (['RUN', 'PHOTO', '--output', 'PHOTO'], '--output .*: cannot be written'),
])
def test_mistakes_are_one_line(
    trained_run, photos, tmp_path, monkeypatch, words, message
):
  monkeypatch.chdir(tmp_path)
  names = {'RUN': trained_run, 'PHOTO': photos[0] / 'one.png'}
  words = [str(names.get(word, word)) for word in words]
  with pytest.raises(UserError, match=message):
    cli._main(['predict', *words])
  assert [path.name for path in tmp_path.iterdir()] == ['photos']
