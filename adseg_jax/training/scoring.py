"""What is scored while a run trains, and what it leaves when it ends."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np

from adseg_jax.data.dataset import Dataset
from adseg_jax.data.pictures import decode
from adseg_jax.evaluation.gallery import (
    panel_indices,
    write_overview,
    write_panels,
)
from adseg_jax.evaluation.inference import Views
from adseg_jax.evaluation.metrics import Scores, scores
from adseg_jax.evaluation.predict import predictions
from adseg_jax.evaluation.score import confusion
from adseg_jax.evaluation.trained import Trained
from adseg_jax.training import parallel, run
from adseg_jax.training.session import Session


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
  """Scores a run.

  Attributes:
    dataset: the data set.
    segmentor: Linen module.
    validation: Examples of its validation split, at their own sizes.
    test: Examples of its test split, or None.
    poll: called for each image; what it raises ends the evaluation.
  """

  dataset: Dataset
  segmentor: nn.Module
  validation: object
  test: object
  poll: Callable[[], None]

  def evaluate(self, live: Session, step: int, new: bool = True) -> Scored:
    """Scores a session's state; `new` scores are written to its log."""
    mine = _mine(self.validation)
    matrix, kept = self._confusion(live, mine, panel_indices(
        len(mine), live.experiment.evaluation.panels
    ))
    result = scores(matrix)
    if new:
      live.writer.write(step, 'validation', means(result))
      pictures = _pictures(mine, kept)
      live.writer.images(step, *pictures, self.dataset.palette)
    return Scored(result, matrix, kept)

  def _trained(self, live: Session) -> Trained:
    """The session's segmentor as it is now."""
    network = live.state.segmentor
    return Trained(
        live.experiment, self.dataset.classes, self.dataset.palette,
        self.segmentor, {'params': network.params, **network.model_state},
        int(live.state.step),
    )

  def _confusion(self, live: Session, examples, keep=()):
    """(confusion matrix over all hosts, predictions of `keep`)."""
    batch = live.experiment.evaluation.batch // jax.process_count()
    matrix, kept = confusion(
        self._trained(live), examples, batch, keep, self.poll
    )
    return parallel.sum_over_hosts(matrix), kept

  def _overview(self, live: Session, image):
    """Classes uint8 [H,W] of the data set's one large image."""
    (_, _, found), = predictions(
        self._trained(live), [image.shape[:2]], lambda _: image, Views(), 1
    )
    return found

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
          workdir / 'overview', dataset,
          lambda image: self._overview(live, image),
      )
    if self.test:
      result = scores(tested)
      live.writer.message(_sentence(dataset.test, result))
      run.write_json(workdir / run.TEST_SCORES, about | {
          'split': dataset.test, 'images': len(self.test),
          **_table(result, tested, dataset.classes),
      })
    run.write_json(workdir / run.SCORES, about | {
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
