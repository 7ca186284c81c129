"""Serves a page to this machine alone."""

import os
import signal
import socket

from adseg_jax.errors import UserError

HOST = '127.0.0.1'
# The browser asks nobody but this server, whatever gradio's pages name.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors 'none'"
)


def listen(port: int) -> socket.socket:
  """A socket on the loopback device; port 0 takes a free one.

  Raises:
    UserError: the port can't be had.
  """
  def refusal(reason):
    return UserError(
        f'--port {port}: cannot be used ({reason}): give another, or 0 for '
        'a free one'
    )

  if not 0 <= port < 2**16:
    raise refusal('not in 0 to 65535')
  try:
    return socket.create_server((HOST, port))
  except OSError as error:
    raise refusal(error.strerror) from error


def quiet(folder: str):
  """Settings that gradio reads; the folder is of uploads and what is shown."""
  os.environ |= {
      'GRADIO_ANALYTICS_ENABLED': 'False', 'GRADIO_TEMP_DIR': folder,
      'HF_HUB_OFFLINE': '1',
  }


def guarded(app):
  """An ASGI application whose answers carry the policy."""
  async def serve(scope, receive, send):
    async def marked(message):
      if message['type'] == 'http.response.start':
        message['headers'] = [
            *message['headers'],
            (b'content-security-policy', POLICY.encode()),
        ]
      await send(message)

    await app(scope, receive, marked)

  return serve


def serve(page, theme, style: str, listening: socket.socket):
  """Serves gradio.Blocks until Ctrl-C or SIGTERM raise KeyboardInterrupt."""
  import gradio
  import uvicorn
  from fastapi import FastAPI
  from starlette.middleware.trustedhost import TrustedHostMiddleware

  # Not page.launch(): it asks for its own address through whatever proxy is
  # set, and its environment variables can publish the page.
  app = gradio.mount_gradio_app(
      FastAPI(openapi_url=None), page, '/', theme=theme, css=style,
      footer_links=[], run_history=False, ssr_mode=False, mcp_server=False,
      enable_monitoring=False,
  )
  # A page from elsewhere may have its name resolved to this machine.
  app = TrustedHostMiddleware(app, [HOST, 'localhost'])
  # Open pages hold a connection: they are not waited for.
  config = uvicorn.Config(
      guarded(app), log_level='critical', timeout_graceful_shutdown=1
  )
  signal.signal(signal.SIGTERM, signal.default_int_handler)
  uvicorn.Server(config).run([listening])
