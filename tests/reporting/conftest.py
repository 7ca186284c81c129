import pytest
from fake_run import CONFUSION, write_run, write_table


@pytest.fixture
def new_run(tmp_path):
  """Writes a finished run into a folder of that name."""
  return lambda name, **options: write_run(tmp_path / name, **options)


@pytest.fixture
def pair(new_run):
  """A run and its control."""
  control = CONFUSION.copy()
  control[0, 1] += 20
  return [
      new_run('main'), new_run('control', weight=0.0, confusion=control)
  ]


@pytest.fixture
def folders(tmp_path):
  """Two arms with three seeds each, scored on two splits."""
  return write_table(tmp_path / 'table', test=True)
