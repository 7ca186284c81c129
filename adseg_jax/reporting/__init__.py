"""Finished runs as a page, as tables and as figures."""
