import dataclasses
import json

import layouts
import pytest

from adseg_jax.errors import UserError
from adseg_jax.training.loop import train


@pytest.fixture
def experiment(tiny, tmp_path):
  """A control on a made-up CamVid: one step, test images of another size."""
  root = layouts.camvid(tmp_path / 'camvid', counts=(3, 2, 1))
  layouts.save(layouts.photo(9, (6, 8)), root / 'test/odd.png')
  layouts.grey(layouts.ids([2, 11], (6, 8)), root / 'testannot/odd.png')
  return dataclasses.replace(
      tiny,
      data=dataclasses.replace(tiny.data, name='camvid', root=str(root)),
      adversary=dataclasses.replace(tiny.adversary, weight=0.0),
      optimizer=dataclasses.replace(tiny.optimizer, steps=1),
  )


def test_both_splits_are_scored_at_the_end(experiment, tmp_path, capsys):
  train(experiment, tmp_path / 'run')
  found = {
      name: json.loads((tmp_path / 'run' / f'{name}.json').read_text())
      for name in ('scores', 'scores_test')
  }
  assert found['scores']['split'] == 'validation'
  assert found['scores']['images'] == 2
  test = found['scores_test']
  assert test['split'] == 'test' and test['images'] == test['step'] + 1 == 2
  # Every pixel that is not void is counted once.
  assert sum(map(sum, test['confusion'])) == 3 * 48 + 24
  assert test['classes'][2]['pixels'] == 24
  assert test['classes'][1]['iou'] is None or test['classes'][1]['iou'] == 0
  line = capsys.readouterr().out.splitlines()[-1]
  assert f'test: pixel accuracy {test["pixel_accuracy"]:.4f}' in line


def test_the_settings_choose_the_split_to_train_on(experiment, tmp_path):
  data = dataclasses.replace(experiment.data, train='nowhere')
  with pytest.raises(UserError, match="no split 'nowhere'"):
    train(dataclasses.replace(experiment, data=data), tmp_path / 'run')


def test_missing_files_leave_the_workdir_free(experiment, tmp_path):
  data = dataclasses.replace(experiment.data, root=str(tmp_path / 'nowhere'))
  with pytest.raises(UserError, match='missing in'):
    train(dataclasses.replace(experiment, data=data), tmp_path / 'run')
  assert not (tmp_path / 'run').exists()
