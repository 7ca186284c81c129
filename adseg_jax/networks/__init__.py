"""Segmentors and discriminators: Linen modules, and the layers they share."""
