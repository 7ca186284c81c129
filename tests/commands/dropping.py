"""Gives a page of gradio a picture, with the requests that a browser sends."""

import io
import json
import urllib.request

import numpy as np
from PIL import Image

BOUNDARY = 'between-the-parts'
PATIENCE = 180  # seconds; machines that test are slow and busy


def ask(address, content=None, kind='application/json'):
  """The answer to a GET, or to a POST of some content."""
  return urllib.request.urlopen(urllib.request.Request(
      address, content, {'Content-Type': kind} if content else {}
  ), timeout=PATIENCE)


def drop(address, path):
  """What the page would show: the outputs of its only event, as JSON."""
  with ask(f'{address}/config') as answer:
    page = json.load(answer)
  api, (event,) = address + page['api_prefix'], page['dependencies']
  body = (
      f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; '
      f'filename="{path.name}"\r\n\r\n'
  ).encode() + path.read_bytes() + f'\r\n--{BOUNDARY}--\r\n'.encode()
  kind = f'multipart/form-data; boundary={BOUNDARY}'
  with ask(f'{api}/upload', body, kind) as answer:
    place, = json.load(answer)
  file = {'path': place, 'orig_name': path.name,
          'meta': {'_type': 'gradio.FileData'}}
  ask(f'{api}/queue/join', json.dumps({
      'data': [file], 'fn_index': event['id'], 'session_hash': path.stem,
      'trigger_id': event['targets'][0][0],
  }).encode()).close()
  with ask(f'{api}/queue/data?session_hash={path.stem}') as lines:
    for line in lines:
      message = json.loads(line.removeprefix(b'data: ')) if line.strip() else {}
      if message.get('msg') == 'process_completed':
        assert message['success'], message
        return message['output']['data']
  raise AssertionError('the page never answered')


def picture(file):
  """A picture that the page shows, uint8 [H,W,3]."""
  with ask(file['url']) as answer:
    return np.asarray(Image.open(io.BytesIO(answer.read())).convert('RGB'))
