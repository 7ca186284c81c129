"""Headless Chromium, driven through its DevTools protocol."""

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time
import urllib.request

PROGRAM = next(filter(None, map(shutil.which, (
    'chromium', 'chromium-browser', 'google-chrome'
))), None)
PATIENCE = 180  # seconds; machines that test are slow and busy


class Tab:
  """A page that is open.

  Attributes:
    requested: addresses that it asked for.
    said: errors on its console.
  """

  def __init__(self, socket):
    self._socket, self._numbers = socket, itertools.count(1)
    self.requested, self.said = [], []
    for domain in ('Page', 'Network', 'Runtime', 'DOM', 'Log'):
      self.send(f'{domain}.enable')

  def send(self, method, **parameters):
    number = next(self._numbers)
    self._socket.send(json.dumps(
        {'id': number, 'method': method, 'params': parameters}
    ))
    while True:
      message = json.loads(self._socket.recv())
      if message.get('id') == number:
        assert 'error' not in message, message
        return message['result']
      self._note(message)

  def _note(self, message):
    content = message.get('params', {})
    if message['method'] == 'Network.requestWillBeSent':
      self.requested.append(content['request']['url'])
    if message['method'] == 'Log.entryAdded':
      self.said.append(content['entry'])

  def evaluate(self, script):
    """A script's value."""
    result = self.send(
        'Runtime.evaluate', expression=script, returnByValue=True,
        awaitPromise=True,
    )
    assert 'exceptionDetails' not in result, result
    return result['result'].get('value')

  def until(self, script):
    """A script's value, once it is true."""
    end = time.monotonic() + PATIENCE
    while not (value := self.evaluate(script)):
      assert time.monotonic() < end, (
          f'{script}: {self.evaluate("document.body.innerText")}'
      )
      time.sleep(0.1)
    return value

  def upload(self, path):
    """Gives a file to the page's first field for files."""
    self.until('!!document.querySelector("input[type=file]")')
    root = self.send('DOM.getDocument')['root']['nodeId']
    node = self.send(
        'DOM.querySelector', nodeId=root, selector='input[type=file]'
    )['nodeId']
    self.send('DOM.setFileInputFiles', nodeId=node, files=[str(path)])

  def screenshot(self, path, width, height):
    self.send(
        'Emulation.setDeviceMetricsOverride', width=width, height=height,
        deviceScaleFactor=1, mobile=False,
    )
    time.sleep(1)
    data = self.send('Page.captureScreenshot', captureBeyondViewport=True)
    path.write_bytes(base64.b64decode(data['data']))


@contextlib.contextmanager
def tab(address, profile):
  """Opens a page; `profile` is an empty folder."""
  import websocket

  process = subprocess.Popen([
      PROGRAM, '--headless=new', '--no-sandbox', '--disable-gpu',
      '--disable-dev-shm-usage', '--disable-background-networking',
      '--no-first-run', '--remote-debugging-port=0',
      f'--user-data-dir={profile}', 'about:blank',
  ], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
  try:
    place = profile / 'DevToolsActivePort'
    end = time.monotonic() + PATIENCE
    while not (place.exists() and place.read_text().count('\n')):
      assert process.poll() is None and time.monotonic() < end
      time.sleep(0.1)
    port = place.read_text().split()[0]
    with urllib.request.urlopen(f'http://127.0.0.1:{port}/json') as answer:
      target, = (one for one in json.load(answer) if one['type'] == 'page')
    with contextlib.closing(websocket.create_connection(
        target['webSocketDebuggerUrl'], timeout=PATIENCE, suppress_origin=True
    )) as socket:
      page = Tab(socket)
      page.send('Page.navigate', url=address)
      yield page
  finally:
    process.terminate()
    process.wait(PATIENCE)
