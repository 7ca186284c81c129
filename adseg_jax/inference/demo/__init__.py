"""The page that `adseg demo` serves: a picture goes in, its classes come out.

Only `page` and `server` need gradio.
"""
