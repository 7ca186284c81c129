import asyncio

import pytest

from adseg_jax.errors import UserError
from adseg_jax.inference.demo import server


def test_only_this_machine_can_ask():
  with server.listen(0) as listening:
    host, port = listening.getsockname()
    assert host == '127.0.0.1' and port
    with pytest.raises(UserError, match=f'--port {port}: .*already in use'):
      server.listen(port)


@pytest.mark.parametrize('port', [-1, 65536])
def test_no_such_port(port):
  with pytest.raises(UserError, match=f'--port {port}: .*0 to 65535'):
    server.listen(port)


def test_every_answer_keeps_the_browser_here():
  async def app(scope, receive, send):
    await send({'type': 'http.response.start', 'headers': [(b'a', b'b')]})
    await send({'type': 'http.response.body', 'body': b'c'})

  sent = []

  async def send(message):
    sent.append(message)

  asyncio.run(server.guarded(app)({'type': 'http'}, None, send))
  start, body = sent
  assert start['headers'][0] == (b'a', b'b') and body['body'] == b'c'
  policy = dict(start['headers'])[b'content-security-policy'].decode()
  assert policy.startswith("default-src 'self'") and '://' not in policy
