"""Data sets, and the pipeline from files to batches. In the order of reading:

What a folder is: `originals` (files, and which go together), `layouts` and
`splits` (a person's folder and lists), `text` (the lines of any text file).
What a label means: `class_forms` and `classes` (lists of classes), `labels`,
`pixels` (what a file holds), `meaning` (how a folder's labels are read).
A data set: `dataset`, and a module each, such as `camvid`; `folder` is a
person's own. Examples: `inspection` (what is refused), `check` (of a whole
data set), `files` (prepares a copy by TFDS), `copies`, `examples` (in memory),
`shares` and `unlabelled`. The stream: `augment`, `pipeline`; `balance`.
"""
