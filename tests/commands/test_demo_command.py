import html
import importlib.util
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import blocks
import chromium
import dropping
import numpy as np
import pytest
from PIL import Image

import adseg_jax
from adseg_jax.commands import cli
from adseg_jax.errors import UserError
from adseg_jax.inference.demo.answer import answer
from adseg_jax.inference.demo.words import percent

PATIENCE = 180  # seconds; a start takes ten on an idle machine
NO_GRADIO = importlib.util.find_spec('gradio') is None
MISSING = [
    name for name, there in {
        'Chromium': chromium.PROGRAM,
        'gradio': not NO_GRADIO,
        'websocket-client': importlib.util.find_spec('websocket'),
    }.items() if not there
]
PIXELS = """
  Promise.all([...document.querySelectorAll(SELECTOR)].map(async image => {
    await image.decode();
    const canvas = document.createElement('canvas');
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    Object.assign(canvas, {width, height});
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const {data} = context.getImageData(0, 0, width, height);
    return [height, width, [...data]];
  }))
"""


def shown(tab, selector):
  """The pictures on the page, uint8 [H,W,3], as the browser decoded them."""
  found = tab.evaluate(PIXELS.replace('SELECTOR', json.dumps(selector)))
  return [
      np.array(data, np.uint8).reshape(height, width, 4)[..., :3]
      for height, width, data in found
  ]


@pytest.fixture
def demo(trained_run, tmp_path):
  """(process, address of its page, folder that is its only temporary one)."""
  temporary = tmp_path / 'temporary'
  temporary.mkdir()
  # A proxy that answers nobody: whoever asks beyond this machine fails.
  proxy = dict.fromkeys(('http_proxy', 'https_proxy'), 'http://127.0.0.1:9')
  process = subprocess.Popen(
      [sys.executable, '-c',
        'from adseg_jax.commands.cli import main; main()', 'demo',
       str(trained_run), '--port', '0', '--checkpoint', 'best'],
      env=os.environ | proxy | {'TMPDIR': str(temporary)}, text=True,
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
  )
  try:
    address, told = process.stdout.readline().split(' ', 1)
    assert told == f'shows step 120 of {trained_run}. Ctrl-C ends it.\n'
    assert address.startswith('http://127.0.0.1:')
    yield process, address, temporary
  finally:
    process.kill()
    process.communicate()


@pytest.fixture
def dropped(trained_run, tmp_path):
  """(a picture's file, which EXIF turns, and what the page says of it)."""
  image = blocks.example(np.random.default_rng(1))['image']
  exif = Image.Exif()
  exif[0x0112] = 6
  path = tmp_path / 'turned.png'
  Image.fromarray(image).rotate(90, expand=True).save(path, exif=exif)
  segment = adseg_jax.load(trained_run, 'best')
  return path, answer(image, np.asarray(segment(image)[1]), blocks.PALETTE)


def headline(expected):
  width, height = expected.picture.size
  return f'turned.png, {width} x {height} pixels'


@pytest.mark.slow
@pytest.mark.skipif(NO_GRADIO, reason='not installed: gradio')
def test_the_server_answers_as_a_browser_asks(demo, dropped, tmp_path):
  (_, address, _), (path, expected) = demo, dropped
  _, line, results, slider, legend, sure, key = dropping.drop(address, path)
  assert headline(expected) in line and results['visible']
  for file, right in zip([*slider, sure], expected[:3], strict=True):
    np.testing.assert_array_equal(dropping.picture(file), right)
  for name, share in zip(blocks.CLASSES, expected.shares, strict=True):
    assert name in legend and percent(share) in legend
  assert f'{expected.confidence:.3f}' in key
  (tmp_path / 'notes.txt').write_text('text')
  _, line, results, *_ = dropping.drop(address, tmp_path / 'notes.txt')
  assert 'notes.txt is no picture that can be read' in line
  assert not results['visible']


@pytest.mark.slow
@pytest.mark.skipif(
    bool(MISSING), reason=f'not installed: {", ".join(MISSING)}'
)
def test_a_picture_goes_in_and_its_classes_come_out(demo, dropped, tmp_path):
  (process, address, temporary), (path, expected) = demo, dropped
  (tmp_path / 'notes.txt').write_text('text')
  profile = tmp_path / 'profile'
  profile.mkdir()
  with chromium.tab(address, profile) as tab:
    tab.upload(path)
    line = headline(expected)
    text = tab.until(
        f'document.body.innerText.includes({json.dumps(line)}) && '
        'document.querySelectorAll("#classes img").length > 1 && '
        'document.querySelector("#confidence img") && '
        'document.body.innerText'
    )
    assert f'Mean: {expected.confidence:.3f}' in text
    for name, share in zip(blocks.CLASSES, expected.shares, strict=True):
      assert name in text and html.unescape(percent(share)) in text
    found = shown(tab, '#classes img') + shown(tab, '#confidence img')
    for one, right in zip(found, expected[:3], strict=True):
      np.testing.assert_array_equal(one, right)
    tab.upload(tmp_path / 'notes.txt')
    tab.until('document.querySelector("[role=alert]")?.innerText.startsWith('
              '"notes.txt is no picture that can be read")')
    assert not tab.evaluate('document.querySelectorAll("#classes img").length')
    assert any(temporary.rglob('turned.png'))
    elsewhere = [
        one for one in tab.requested
        if not one.startswith((address, 'data:', 'blob:'))
    ]
    assert tab.requested and not elsewhere and not tab.said
    with pytest.raises(urllib.error.HTTPError, match='400'):
      urllib.request.urlopen(
          urllib.request.Request(address, headers={'Host': 'elsewhere.example'})
      )
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
  assert process.stdout.read() == (
      'stopped: the pictures that were dropped are removed\n'
  )
  assert not list(temporary.iterdir())


def test_mistakes_are_one_line(tmp_path, monkeypatch):
  with pytest.raises(UserError, match='give the workdir of a run'):
    cli._main(['demo'])
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: True)
  with pytest.raises(UserError, match='--port 70000'):
    cli._main(['demo', str(tmp_path), '--port', '70000'])
  with pytest.raises(UserError, match=r'no experiment\.json here'):
    cli._main(['demo', str(tmp_path), '--port', '0'])
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(UserError, match=r"pip install --editable '\.\[demo\]'"):
    cli._main(['demo', str(tmp_path)])
