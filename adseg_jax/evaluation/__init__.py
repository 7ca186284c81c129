"""Scores of a segmentor, its predictions, and what differences of scores show.
"""
