"""What is scored while a run trains, and what it leaves when it ends."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from adseg_jax.data.dataset import Dataset
from adseg_jax.evaluation.evaluate import decode, evaluate
from adseg_jax.evaluation.gallery import (
    panel_indices,
    write_overview,
    write_panels,
)
from adseg_jax.evaluation.metrics import Scores, scores
from adseg_jax.training import parallel, run
from adseg_jax.training.session import Session

SCORES = 'scores.json'
TEST_SCORES = 'scores_test.json'


class Scored(NamedTuple):
  """Scores of a state on the validation split.

  Attributes:
    result: the scores.
    confusion: int64 [C,C], rows truth.
    kept: {index of a panel's example: classes uint8 [H,W]}.
  """

  result: Scores
  confusion: np.ndarray
  kept: dict


@dataclasses.dataclass(frozen=True)
class Scorer:
  """Scores a run, by one compiled program a shape.

  Attributes:
    dataset: the data set.
    validation: Examples of its validation split.
    test: Examples of its test split, or None.
    batch: images per evaluation batch, over all hosts.
    panels: validation images that are shown.
    eval_step: as parallel.make_eval_step gives it.
    poll: called before each batch; what it raises ends the evaluation.
  """

  dataset: Dataset
  validation: object
  test: object
  batch: int
  panels: int
  eval_step: Callable
  poll: Callable[[], None]

  def evaluate(self, live: Session, step: int, new: bool = True) -> Scored:
    """Scores a session's state; `new` scores are written to its log."""
    mine = _mine(self.validation)
    confusion, kept = self._confusion(
        live, mine, panel_indices(len(mine), self.panels)
    )
    result = scores(confusion)
    if new:
      live.writer.write(step, 'validation', means(result))
      pictures = _pictures(mine, kept)
      live.writer.images(step, *pictures, self.dataset.palette)
    return Scored(result, confusion, kept)

  def _predictor(self, live: Session):
    def predict(images):
      self.poll()
      parts = parallel.shard(images, jax.local_device_count())
      return parallel.gather(self.eval_step(live.state, parts))

    return predict

  def _confusion(self, live: Session, examples, keep=()):
    """(confusion matrix over all hosts, predictions of `keep`)."""
    confusion, kept = evaluate(
        self._predictor(live), examples, len(self.dataset.classes),
        self.batch // jax.process_count(), keep,
    )
    return parallel.sum_over_hosts(confusion), kept

  def finish(self, live: Session, step: int):
    """Scores the last state and leaves all that a finished run has.

    The validation scores come last: where they are, all is there.
    """
    new = not live.checkpoints.scored(step)
    scored = self.evaluate(live, step, new)
    if new:
      live.save(means(scored.result))
    tested = self.test and self._confusion(live, _mine(self.test))[0]
    about = {'step': step, 'seconds': live.clock.seconds}
    parallel.on_main(lambda: self._leave(live, scored, tested, about))

  def _leave(self, live: Session, scored: Scored, tested, about: dict):
    dataset, workdir = self.dataset, live.workdir
    write_panels(
        workdir / 'panels', dataset.palette, _mine(self.validation),
        scored.kept,
    )
    if dataset.overview:
      live.writer.message('Predicting the overview ...')
      write_overview(
          workdir / 'overview', dataset, self._predictor(live),
          jax.local_device_count(),
      )
    if self.test:
      result = scores(tested)
      live.writer.message(_sentence(dataset.test, result))
      run.write_json(workdir / TEST_SCORES, about | {
          'split': dataset.test, 'images': len(self.test),
          **_table(result, tested, dataset.classes),
      })
    run.write_json(workdir / SCORES, about | {
        'split': dataset.validation, 'images': len(self.validation),
        **_table(scored.result, scored.confusion, dataset.classes),
    })


def _mine(examples):
  """This host's share."""
  return examples.part(jax.process_index(), jax.process_count())


def means(result: Scores) -> dict[str, float]:
  """The scores that are one number."""
  return {
      field.name: value
      for field in dataclasses.fields(result)
      if isinstance(value := getattr(result, field.name), float)
  }


def _sentence(split: str, result: Scores) -> str:
  numbers = ', '.join(
      f'{name.replace("_", " ")} {value:.4f}'
      for name, value in means(result).items()
  )
  return f'{split}: {numbers}'


def _pictures(examples, kept):
  """Images, truths and predictions of the kept examples."""
  return (
      [decode(examples.images[i], 'RGB') for i in kept],
      [decode(examples.labels[i], 'L') for i in kept],
      list(kept.values()),
  )


def _table(result: Scores, confusion, classes) -> dict:
  """Scores as JSON has them: nan, where a class is absent, as null."""
  def number(value):
    return None if np.isnan(value) else float(value)

  rows = zip(
      classes, result.iou, result.accuracy, result.precision, result.pixels,
      strict=True,
  )
  return {name: number(value) for name, value in means(result).items()} | {
      'classes': [
          {'name': name, 'iou': number(iou), 'accuracy': number(accuracy),
           'precision': number(precision), 'pixels': int(pixels)}
          for name, iou, accuracy, precision, pixels in rows
      ],
      'confusion': confusion.tolist(),
  }
