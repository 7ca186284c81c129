"""A trained segmentor as files that run without this package."""
