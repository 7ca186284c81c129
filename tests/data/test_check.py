import dataclasses
import re
import sys

import layouts
import numpy as np
import pytest
from PIL import Image

from adseg_jax.commands import cli
from adseg_jax.commands.data_page import table, verdict, write_page
from adseg_jax.config import Data
from adseg_jax.data import camvid, earth, examples, inspection, labels
from adseg_jax.data.check import check
from adseg_jax.data.dataset import find
from adseg_jax.data.originals import NO_IMAGE, NO_LABEL
from adseg_jax.data.pictures import decode
from adseg_jax.errors import UserError


@pytest.fixture
def data(tmp_path):
  layouts.folder(tmp_path / 'mine')
  return Data(
      name='folder', root=str(tmp_path / 'mine'), prepared=str(tmp_path / 'p')
  )


def kinds(data):
  return [fault.kind for fault in check(find(data), data).faults]


def adseg(monkeypatch, *arguments):
  """Runs the console script; returns its exit status."""
  monkeypatch.setattr(sys, 'argv', ['adseg', *map(str, arguments)])
  with pytest.raises(SystemExit) as info:
    cli.main()
  return info.value.code


def test_sound_data_are_counted(tmp_path):
  root = layouts.camvid(tmp_path / 'camvid')
  layouts.save(layouts.photo(9, (6, 8)), root / 'val/odd.png')
  layouts.grey(layouts.ids([2], (6, 8)), root / 'valannot/odd.png')
  found = check(camvid.DATASET, Data(root=str(root)))
  assert not found.faults and 'Nothing is wrong' in verdict(found)
  tally = found.tallies['validation']
  assert tally.images == 3
  assert tally.sizes == {(16, 12): 2, (8, 6): 1}
  quarter = 12 * 16 // 4
  wanted = np.zeros(11, int)
  wanted[[0, 3, 10]], wanted[2] = 2 * quarter, 48
  np.testing.assert_array_equal(tally.pixels, wanted)
  assert tally.void == 2 * quarter
  # Not the whole of CamVid, and most of its classes are absent.
  assert 'validation has 3 images; the whole data set 101' in found.warnings
  assert any('pole' in warning for warning in found.warnings)


def break_image(root):
  path = root / 'images/n1.jpg'
  path.write_bytes(path.read_bytes()[:-200])


def fractions(root):
  (root / 'images/n1.jpg').unlink()
  grey = Image.fromarray(np.zeros((12, 16), np.float32))
  grey.save(root / 'images/n1.tif')


def quarter_turn(root):
  exif = Image.Exif()
  exif[0x0112] = 6
  layouts.photo(1).save(root / 'images/n1.jpg', exif=exif)


@pytest.mark.parametrize('mistake, kind', [
    (lambda root: (root / 'labels/n3.png').unlink(), NO_LABEL),
    (lambda root: (root / 'images/n3.jpg').unlink(), NO_IMAGE),
    (lambda root: layouts.grey(layouts.ids([7]), root / 'labels/n3.png'),
     labels.STRANGE_IDS),
    (lambda root: layouts.grey(np.zeros((3, 4)), root / 'labels/n3.png'),
     inspection.SIZES),
    (lambda root: (root / 'labels/n3.png').write_bytes(b'no'),
     labels.UNREADABLE_LABEL),
    (break_image, inspection.UNREADABLE_IMAGE),
    (fractions, inspection.UNREADABLE_IMAGE),
    (quarter_turn, inspection.SIZES),
])
def test_what_the_check_finds_training_refuses(data, tmp_path, mistake, kind):
  mistake(tmp_path / 'mine')
  found = check(find(data), data)
  assert [fault.kind for fault in found.faults] == [kind]
  with pytest.raises(UserError) as info:
    for split in ('train', 'validation'):
      examples.load(find(data), split, data)
  assert found.faults[0].where in str(info.value)
  assert 'adseg data check folder' in str(info.value)
  assert not list((tmp_path / 'p').rglob('*.tfrecord*'))


def test_every_fault_is_found_not_only_the_first(data, tmp_path):
  root = tmp_path / 'mine'
  break_image(root)
  layouts.grey(np.full((3, 4), 9), root / 'labels/n3.png')
  (root / 'labels/n4.png').unlink()
  assert sorted(kinds(data)) == sorted([
      NO_LABEL, inspection.UNREADABLE_IMAGE, labels.STRANGE_IDS
  ])


def test_palettes_that_differ_are_found(data, tmp_path):
  one, other = [[0, 0, 0], [9, 9, 9]], [[0, 0, 0], [5, 5, 5]]
  for index in range(10):
    layouts.paletted(
        layouts.ids([0, 1]), tmp_path / f'mine/labels/n{index}.png',
        other if index == 7 else one,
    )
  assert inspection.PALETTES in kinds(data)


def test_a_label_that_fits_an_image_unturned_is_told_so(data, tmp_path):
  quarter_turn(tmp_path / 'mine')
  fault, = check(find(data), data).faults
  assert fault.where == 'example n1' and 'EXIF' in fault.detail


def test_a_label_that_a_tag_turns_away_is_told_so(data, tmp_path):
  exif = Image.Exif()
  exif[0x0112] = 6
  label = Image.fromarray(layouts.ids([0, 1, 2]).astype(np.uint8))
  label.save(tmp_path / 'mine/labels/n1.png', exif=exif)
  fault, = check(find(data), data).faults
  assert fault.where == 'example n1' and 'a quarter turn' in fault.detail


@pytest.mark.parametrize('orientation,turn', [(3, 2), (6, 1), (8, 3)])
def test_an_image_is_shown_and_trained_on_as_a_tag_turns_it(
    data, tmp_path, orientation, turn
):
  exif = Image.Exif()
  exif[0x0112] = orientation
  scene = np.asarray(layouts.photo(1))
  (tmp_path / 'mine/images/n1.jpg').unlink()
  Image.fromarray(np.rot90(scene, turn).copy()).save(
      tmp_path / 'mine/images/n1.png', exif=exif
  )
  found = check(find(data), data)
  assert not found.faults
  assert any('EXIF' in w and 'n1' in w for w in found.warnings)
  sample = next(s for s in found.samples if s.name == 'n1')
  loaded = [
      examples.load(find(data), split, data)
      for split in ('train', 'validation')
  ]
  trained, = (
      part.images[part.names.index('n1')]
      for part in loaded if 'n1' in part.names
  )
  for image in (sample.image, trained):
    np.testing.assert_array_equal(decode(image, 'RGB'), scene)


def test_a_mask_is_turned_by_its_tag_too(data, tmp_path):
  exif = Image.Exif()
  exif[0x0112] = 6
  stored = np.rot90(layouts.ids([0, 1, 2])).astype(np.uint8).copy()
  Image.fromarray(stored).save(tmp_path / 'mine/labels/n1.png', exif=exif)
  assert not check(find(data), data).faults


def test_sixteen_bits_are_read(data, tmp_path):
  (tmp_path / 'mine/images/n1.jpg').unlink()
  grey = np.arange(192, dtype=np.uint16).reshape(12, 16) << 8
  Image.fromarray(grey).save(tmp_path / 'mine/images/n1.png')
  found = check(find(data), data)
  assert not found.faults
  sample = next(s for s in found.samples if s.name == 'n1')
  np.testing.assert_array_equal(decode(sample.image, 'L'), grey >> 8)


def test_a_prepared_data_set_is_checked_too(prepared):
  found = check(earth.DATASET, Data(prepared=prepared))
  assert not found.faults
  assert {split: t.images for split, t in found.tallies.items()} == {
      'train': 210, 'validation': 90, 'test': 67
  }


def test_command_prints_counts_and_writes_a_page(
    data, tmp_path, monkeypatch, capsys
):
  status = adseg(
      monkeypatch, 'data', 'check', 'folder', '--data.root', data.root,
      '--output', tmp_path / 'out',
  )
  assert status == 0
  text = capsys.readouterr().out
  assert re.search(r'train +8 +16x12', text)
  assert re.search(r'sky +37\.50 %', text)  # 6 of 16 columns
  page = (tmp_path / 'out/index.html').read_text('utf-8')
  assert page.count('<figure>') == 2 * (6 + 2)
  assert not re.findall(r'(?:src|href)="(?!data:)', page)


def test_command_ends_with_status_1_where_something_is_wrong(
    data, tmp_path, monkeypatch, capsys
):
  layouts.grey(layouts.ids([7]), tmp_path / 'mine/labels/n3.png')
  status = adseg(
      monkeypatch, 'data', 'check', 'folder', '--data.root', data.root,
      '--output', tmp_path / 'out',
  )
  assert status == (
      'error: 1 thing is wrong. Training refuses this data set.'
  )
  assert 'example n3' in capsys.readouterr().out
  assert 'id 7' in (tmp_path / 'out/index.html').read_text('utf-8')


@pytest.mark.parametrize('arguments, text', [
    ([], 'adseg data check'),
    (['data', 'chek'], 'chek'),
    (['data', 'check'], 'name a data set: one of earth, camvid'),
    (['data', 'check', 'moon'], 'no such data set'),
    (['data', 'check', 'folder', '--data.rot', 'x'], 'did you mean --data.ro'),
])
def test_mistakes_in_the_command_are_one_line(monkeypatch, arguments, text):
  status = adseg(monkeypatch, *arguments)
  assert text in status and '\n' not in status


def test_names_are_escaped_in_the_page(tmp_path):
  root = layouts.folder(tmp_path / 'mine', classes='<b>sky\nroad\nvoid\n')
  data = Data(name='folder', root=str(root))
  found = check(find(data), data)
  page = write_page(found, tmp_path / 'out').read_text('utf-8')
  assert '<b>sky' not in page and '&lt;b&gt;sky' in page
  assert table(found).renderables
  file = tmp_path / 'file'
  file.write_text('')
  with pytest.raises(UserError, match='--output'):
    write_page(dataclasses.replace(found), file / 'out')
