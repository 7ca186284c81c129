import http.server
import socket
import threading

import pytest
import toy

from adseg_jax.config import Data
from adseg_jax.data import examples
from adseg_jax.errors import UserError


@pytest.fixture
def load(tmp_path, monkeypatch):
  """Address -> examples, for which a file is downloaded from there."""
  monkeypatch.setenv('no_proxy', '*')

  def loaded(address):
    generators = toy.Toy._split_generators

    def downloading(builder, dl_manager):
      dl_manager.download(address)
      return generators(builder, dl_manager)

    with monkeypatch.context() as patch:
      patch.setattr(toy.Toy, '_split_generators', downloading)
      return examples.load(toy.DATASET, 'train', Data(prepared=str(tmp_path)))

  return loaded


def test_without_a_network_it_is_refused_at_once(load):
  with socket.socket() as nobody:  # bound, and not listening
    nobody.bind(('127.0.0.1', 0))
    address = f'http://127.0.0.1:{nobody.getsockname()[1]}/a.zip'
    with pytest.raises(UserError, match=f'^{address} cannot be reached'):
      load(address)


def test_who_does_not_want_to_be_asked_is_there(load):
  asked = []

  class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
      asked.append('HEAD')
      self.send_error(403)

    def do_GET(self):
      asked.append('GET')
      self.send_response(200)
      self.end_headers()
      self.wfile.write(b'content')

    def log_message(self, *_):
      """Nothing."""

  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f'http://127.0.0.1:{server.server_port}/a.zip'
    assert len(load(address)) == 11
    assert len(load(address)) == 11  # prepared: nobody is asked
    server.shutdown()
  assert asked == ['HEAD', 'GET']
