"""Data sets, and the pipeline from files to batches."""
