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
from adseg_jax.evaluation.score import summarize, total
from adseg_jax.evaluation.trained import Trained
from adseg_jax.training import parallel, run
from adseg_jax.training.session import Session


@dataclasses.dataclass(frozen=True)
class Scorer:
  """Scores a run that is under way.

  Examples of its splits have their own sizes; there may be no test split.
  `poll` is called for each image; what it raises ends the evaluation.
  """

  live: Session
  dataset: Dataset
  segmentor: nn.Module
  validation: object
  test: object
  poll: Callable[[], None]

  def evaluate(self, step: int) -> dict[str, float]:
    """The mean scores of the state, which are written to the log."""
    return self._write(step, *self._scored(self.validation, count, scores))

  def finish(self, step: int):
    """Scores the last state and leaves all that a finished run has.

    The validation scores come last: where they are, all is there.
    """
    *scored, kept = self._scored(self.validation, measure, summarize)
    if not self.live.checkpoints.scored(step):
      both = [one and one.scores for one in scored]
      self.live.save(self._write(step, *both, kept))
    tested = self.test and self._scored(self.test, measure, summarize)[:2]
    about = {'step': step, 'seconds': self.live.clock.seconds}
    parallel.on_main(lambda: self._leave(scored, kept, tested, about))

  def _scored(self, split, measure, sum_up):
    """Scores of a split, those of the averaged weights, shown predictions.

    Without an average None stands for its scores.
    """
    mine, averaged = _mine(split), None
    shown = panel_indices(len(mine), self.live.experiment.evaluation.panels)
    found, kept = self._total(mine, measure, shown)
    if self.live.state.segmentor.average is not None:
      averaged = sum_up(self._total(mine, measure, average=True)[0])
    return sum_up(found), averaged, kept

  def _total(self, examples, measure, keep=(), average=False):
    """(a measure's sum over all hosts, predictions of `keep`)."""
    batch = self.live.experiment.evaluation.batch // jax.process_count()
    found, kept = total(
        self._trained(average), examples, batch, measure, keep, self.poll
    )
    return jax.tree.map(parallel.sum_over_hosts, found), kept

  def _trained(self, average: bool = False) -> Trained:
    """The segmentor as it is now, or its average."""
    network = self.live.state.segmentor
    return Trained(
        self.live.experiment, self.dataset.classes, self.dataset.palette,
        self.segmentor, network.average if average
        else {'params': network.params, **network.model_state},
        int(self.live.state.step),
    )

  def _write(self, step: int, found: Scores, averaged: Scores | None, kept):
    beside = averaged.means if averaged else {}
    self.live.writer.write(step, 'validation', found.means | {
        f'average_{name}': value for name, value in beside.items()
    })
    mine = _mine(self.validation)
    self.live.writer.images(
        step, [decode(mine.images[i], 'RGB') for i in kept],
        [decode(mine.labels[i], 'L') for i in kept], list(kept.values()),
        self.dataset.palette,
    )
    return found.means

  def _leave(self, scored, kept, tested, about: dict):
    dataset, workdir = self.dataset, self.live.workdir
    write_panels(
        workdir / 'panels', dataset.palette, _mine(self.validation), kept
    )
    if dataset.overview:
      self.live.writer.message('Predicting the overview ...')
      write_overview(workdir / 'overview', dataset, self._overview)
    if tested:
      numbers = ', '.join(
          f'{name.replace("_", " ")} {value:.4f}'
          for name, value in tested[0].scores.means.items()
      )
      self.live.writer.message(f'{dataset.test}: {numbers}')
      run.write_json(workdir / run.TEST_SCORES, about | {
          'split': dataset.test, 'images': len(self.test),
          **self._tables(*tested),
      })
    run.write_json(workdir / run.SCORES, about | {
        'split': dataset.validation, 'images': len(self.validation),
        **self._tables(*scored),
    })

  def _overview(self, image):
    """Classes uint8 [H,W] of the data set's one large image."""
    (_, _, found), = predictions(
        self._trained(), [image.shape[:2]], lambda _: image, Views(), 1
    )
    return found

  def _tables(self, found, averaged) -> dict:
    """The weights' table and, below `average`, that of their average if any."""
    table = sheet.to_dict(found, self.dataset.classes)
    if averaged:
      table['average'] = sheet.to_dict(averaged, self.dataset.classes)
    return table


def _mine(examples):
  """This host's share."""
  return examples.part(jax.process_index(), jax.process_count())
