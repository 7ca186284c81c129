"""What is scored while a run trains, and what it leaves when it ends."""

import dataclasses
from collections.abc import Callable

import flax.linen as nn
import jax

from adseg_jax.data.dataset import Dataset
from adseg_jax.data.pictures import decode
from adseg_jax.evaluation import sheet
from adseg_jax.evaluation.gallery import (
  panel_indices,
  write_overview,
  write_panels,
)
from adseg_jax.evaluation.inference import Views
from adseg_jax.evaluation.measures import count, measure
from adseg_jax.evaluation.metrics import Scores, scores
from adseg_jax.evaluation.predict import predictions
from adseg_jax.evaluation.score import Report, summarize, total
from adseg_jax.evaluation.trained import Trained
from adseg_jax.training import parallel, run
from adseg_jax.training.session import Session


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

  def evaluate(self, live: Session, step: int) -> dict[str, float]:
    """The mean scores of a session's state, which are written to its log."""
    confusion, kept = self._validated(live, count)
    averaged = self._averaged(live, self.validation, count, scores)
    return self._write(live, step, scores(confusion), kept, averaged)

  def _write(self, live: Session, step: int, result: Scores, kept, averaged):
    beside = means(averaged) if averaged else {}
    live.writer.write(step, 'validation', means(result) | {
        f'average_{name}': value for name, value in beside.items()
    })
    pictures = _pictures(_mine(self.validation), kept)
    live.writer.images(step, *pictures, self.dataset.palette)
    return means(result)

  def _trained(self, live: Session, average: bool = False) -> Trained:
    """The session's segmentor as it is now, or its average."""
    network = live.state.segmentor
    return Trained(
        live.experiment, self.dataset.classes, self.dataset.palette,
        self.segmentor, network.average if average
        else {'params': network.params, **network.model_state},
        int(live.state.step),
    )

  def _validated(self, live: Session, measure):
    """(a measure of the validation split, predictions of the panels)."""
    mine = _mine(self.validation)
    panels = live.experiment.evaluation.panels
    return self._total(live, mine, measure, panel_indices(len(mine), panels))

  def _averaged(self, live: Session, split, measure, sum_up):
    """Scores of a split with the averaged weights; None without them."""
    if live.state.segmentor.average is None:
      return None
    return sum_up(self._total(live, _mine(split), measure, average=True)[0])

  def _total(self, live: Session, examples, measure, keep=(), average=False):
    """(a measure's sum over all hosts, predictions of `keep`)."""
    batch = live.experiment.evaluation.batch // jax.process_count()
    found, kept = total(
        self._trained(live, average), examples, batch, measure, keep, self.poll
    )
    return jax.tree.map(parallel.sum_over_hosts, found), kept

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
    measured, kept = self._validated(live, measure)
    averaged = self._averaged(live, self.validation, measure, summarize)
    scored = summarize(measured)
    if not live.checkpoints.scored(step):
      live.save(self._write(
          live, step, scored.scores, kept, averaged and averaged.scores
      ))
    tested = self.test and (
        summarize(self._total(live, _mine(self.test), measure)[0]),
        self._averaged(live, self.test, measure, summarize),
    )
    about = {'step': step, 'seconds': live.clock.seconds}
    parallel.on_main(lambda: self._leave(
        live, (scored, averaged), kept, tested, about
    ))

  def _leave(self, live: Session, scored, kept, tested, about: dict):
    dataset, workdir = self.dataset, live.workdir
    write_panels(
        workdir / 'panels', dataset.palette, _mine(self.validation), kept
    )
    if dataset.overview:
      live.writer.message('Predicting the overview ...')
      write_overview(
          workdir / 'overview', dataset,
          lambda image: self._overview(live, image),
      )
    if self.test:
      live.writer.message(_sentence(dataset.test, tested[0].scores))
      run.write_json(workdir / run.TEST_SCORES, about | {
          'split': dataset.test, 'images': len(self.test),
          **_tables(*tested, dataset.classes),
      })
    run.write_json(workdir / run.SCORES, about | {
        'split': dataset.validation, 'images': len(self.validation),
        **_tables(*scored, dataset.classes),
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


def _tables(found: Report, averaged: Report | None, classes) -> dict:
  """The weights' table and, below `average`, that of their average if any."""
  table = sheet.to_dict(found, classes)
  if averaged:
    table['average'] = sheet.to_dict(averaged, classes)
  return table
