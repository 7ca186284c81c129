"""Logs while a run goes, and a page when it is done."""
