"""Everything that a training run writes and shows while it runs."""

import contextlib
import datetime
import json
import math
import time

import numpy as np
from etils import epath
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from adseg_jax import files
from adseg_jax.data.pictures import encode
from adseg_jax.errors import UserError
from adseg_jax.evaluation.gallery import paletted

METRICS = 'metrics.jsonl'
TENSORBOARD = 'tensorboard'

# Where output is no terminal, such as a log file: one line in so many seconds.
LINE_SECONDS = 20.0

# Shown beside the progress bar, short enough for 80 columns.
_SHOWN = {
    'segmentation_loss': 'seg',
    'adversarial_loss': 'adv',
    'discriminator_loss': 'disc',
}
# A smaller share of waiting for data is not shown: there is little to gain.
_NOTEWORTHY = 0.05
_GAP = 2  # white pixels between the maps of a panel


def read_metrics(path: epath.Path) -> list[dict]:
  """The lines of a metrics file; a last line that was cut off is left out.

  Raises:
    UserError: a line is not JSON.
  """
  # A run that is killed while it writes leaves half a line: no line feed.
  whole = path.read_text(encoding='utf-8').split('\n')[:-1]
  try:
    return [json.loads(line) for line in whole]
  except ValueError as error:
    raise UserError(f'{path} is damaged ({error}): move it away') from None


def panel(image, truth, prediction, palette) -> np.ndarray:
  """Image, truth and prediction side by side: uint8 [H,3W+4,3]."""
  gap = np.full((len(image), _GAP, 3), 255, np.uint8)
  maps = [
      np.asarray(paletted(label, palette).convert('RGB'))
      for label in (truth, prediction)
  ]
  return np.concatenate([image, gap, maps[0], gap, maps[1]], axis=1)


class Writer:
  """Writes `metrics.jsonl` and TensorBoard files and shows progress.

  A context manager, which opens the files. A run that continues in the same
  folder appends: what an earlier run wrote beyond the step that this one starts
  from is removed from `metrics.jsonl`, and TensorBoard is told to forget it.
  """

  def __init__(
      self, workdir: epath.Path, total_steps: int, start_step: int = 0
  ):
    self._workdir = epath.Path(workdir)
    self._total, self._start = total_steps, start_step
    self._console = console = Console()
    live = console.is_terminal and not console.is_dumb_terminal
    self._bar = Progress(
        TextColumn('{task.completed}/{task.total}', style='bold'),
        BarColumn(None),
        TextColumn('{task.fields[status]}', markup=False),
        console=console, refresh_per_second=4,
        disable=not live,
    )
    self._first = None  # step and time of the first report of progress
    self._printed = -math.inf

  def __enter__(self):
    self._workdir.mkdir(parents=True, exist_ok=True)
    path = self._workdir / METRICS
    _keep_until(path, self._start)
    self._lines = path.open('a', encoding='utf-8')
    self._events = _Events(self._workdir / TENSORBOARD, self._start)
    self._task = self._bar.add_task(
        '', total=self._total, completed=self._start, status='starting'
    )
    self._bar.start()
    return self

  def __exit__(self, *_):
    self._bar.stop()
    self._lines.close()
    self._events.close()

  def write(self, step: int, kind: str, values: dict[str, float]):
    """Appends a line to `metrics.jsonl` and the scalars to TensorBoard.

    The kind is 'train' or 'validation'; what is not finite becomes null.
    """
    values = {name: float(value) for name, value in values.items()}
    line = {'step': int(step), 'kind': kind} | {
        name: value if math.isfinite(value) else None
        for name, value in values.items()
    }
    self._lines.write(json.dumps(line, allow_nan=False) + '\n')
    self._lines.flush()
    self._events.scalars(
        step, {f'{kind}/{name}': value for name, value in values.items()}
    )

  def images(self, step: int, images, truths, predictions, palette):
    """Shows image, truth and prediction side by side in TensorBoard.

    Images uint8 [H,W,3], label maps [H,W]; void is white; sizes may differ.
    """
    triples = zip(images, truths, predictions, strict=True)
    self._events.images(step, {
        f'panels/{index}': panel(*triple, palette)
        for index, triple in enumerate(triples)
    })

  def progress(self, step: int, values: dict):
    """Moves the bar; where there is no terminal, prints a line at times."""
    waiting = values.get('waiting', 0.0)
    status = '  '.join([
        *(f'{short} {values[name]:.3f}'
          for name, short in _SHOWN.items() if name in values),
        f'{values["images_per_second"]:.1f} images/s',
        *([f'{waiting:.0%} waiting'] if waiting >= _NOTEWORTHY else []),
        f'{_clock(self._seconds_left(step))} left',
    ])
    self._bar.update(self._task, completed=step, status=status)
    now = time.monotonic()
    due = step == self._total or now - self._printed >= LINE_SECONDS
    if self._bar.disable and due:
      self._printed = now
      self.message(f'step {step}/{self._total}  {status}')

  def message(self, text: str):
    """Prints a line, above the bar if there is one."""
    self._console.print(text, markup=False, highlight=False, soft_wrap=True)

  def _seconds_left(self, step):
    """From the mean pace since the first call, which follows compilation."""
    now = time.monotonic()
    if self._first is None:
      self._first = step, now
    first, then = self._first
    if step == first:
      return 0.0 if step == self._total else math.nan
    return (now - then) / (step - first) * (self._total - step)


class Mute:
  """A Writer that writes and shows nothing: for all hosts but the first."""

  def __enter__(self):
    return self

  def __exit__(self, *_):
    """Nothing."""

  write = images = progress = message = __exit__


def _clock(seconds):
  if math.isnan(seconds):
    return '-:--'
  text = str(datetime.timedelta(seconds=round(seconds)))
  return text.removeprefix('0:').removeprefix('0')


def _keep_until(path, step):
  """Drops the lines beyond a step, at once or not at all."""
  if not path.exists():
    return
  kept = [line for line in read_metrics(path) if line['step'] <= step]
  files.write(path, ''.join(json.dumps(line) + '\n' for line in kept).encode())


class _Events:
  """A TensorBoard event file.

  `tf.summary.scalar` needs the package tensorboard, which TensorFlow 2.21 no
  longer brings along; the records themselves are TensorFlow's own protos.
  """

  def __init__(self, folder, start_step):
    import tensorflow as tf  # several seconds: only a training run pays

    self._proto, self._errors = tf.compat.v1, tf.errors
    folder.mkdir(parents=True, exist_ok=True)
    # TensorBoard reads files whose name holds 'tfevents', in their order.
    path = folder / f'events.out.tfevents.{time.time_ns()}'
    self._file = tf.io.TFRecordWriter(str(path))
    self._record(0, file_version='brain.Event:2')
    # A start makes TensorBoard drop what it holds from that step on.
    start = self._proto.SessionLog(status=self._proto.SessionLog.START)
    self._record(start_step + 1, session_log=start)

  def _record(self, step, **content):
    event = self._proto.Event(wall_time=time.time(), step=int(step), **content)
    with self._one_line():
      self._file.write(event.SerializeToString())
      self._file.flush()

  def scalars(self, step, values):
    """Writes tag -> number."""
    self._summary(step, [
        {'tag': tag, 'simple_value': value} for tag, value in values.items()
    ])

  def images(self, step, pictures):
    """Writes tag -> picture, uint8 [H,W,3]."""
    self._summary(step, [
        {'tag': tag, 'image': self._proto.Summary.Image(
            height=len(picture), width=picture.shape[1], colorspace=3,
            encoded_image_string=encode(picture),
        )} for tag, picture in pictures.items()
    ])

  def _summary(self, step, values):
    self._record(step, summary=self._proto.Summary(value=[
        self._proto.Summary.Value(**value) for value in values
    ]))

  def close(self):
    """Closes the file."""
    with self._one_line():
      self._file.close()

  @contextlib.contextmanager
  def _one_line(self):
    """TensorFlow's errors as the ones that people are shown."""
    try:
      yield
    except self._errors.OpError as error:
      raise UserError(
          f'{error.message}: free space, then the same command continues from '
          'the last checkpoint'
      ) from None
