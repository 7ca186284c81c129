"""Downloads by TFDS: refused soon where nobody answers."""

import contextlib
import ssl
import urllib.error
import urllib.request

from tensorflow_datasets.core.download import downloader

from adseg_jax.errors import UserError

PATIENCE = 10  # seconds, for a host to answer


@contextlib.contextmanager
def asked_first():
  """Inside, each address is asked once before TFDS downloads from it.

  TFDS itself tries ten times, minutes in all, and each time without end where
  a network swallows what is sent.
  """
  download = downloader._open_url

  def asked(url, **options):
    _ask(url)
    return download(url, **options)

  downloader._open_url = asked
  try:
    yield
  finally:
    downloader._open_url = download


def _ask(address: str):
  """Proxies of the environment are used, as TFDS uses them.

  Raises:
    UserError: nobody answers.
  """
  request = urllib.request.Request(address, method='HEAD')
  try:
    urllib.request.urlopen(request, timeout=PATIENCE).close()
  except OSError as error:
    reason = getattr(error, 'reason', error)
    # Whoever refuses, or has an unknown certificate, is there.
    if isinstance(error, urllib.error.HTTPError) or isinstance(
        reason, ssl.SSLError
    ):
      return
    raise UserError(
        f'{address} cannot be reached ({reason}), and the data set is '
        'downloaded from there: try again with a network, or give a folder '
        'that holds a prepared copy as --data.prepared'
    ) from error
