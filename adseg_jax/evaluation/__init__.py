"""Scores of a segmentor, and its predictions."""
