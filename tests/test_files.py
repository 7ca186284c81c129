import pytest
from etils import epath

from adseg_jax import files


def test_a_write_that_is_interrupted_leaves_the_old_file(tmp_path, monkeypatch):
  path = epath.Path(tmp_path / 'a')
  files.write(path, b'old')
  write_bytes = type(path).write_bytes

  def interrupted(self, content):
    write_bytes(self, content[:1])
    raise KeyboardInterrupt

  monkeypatch.setattr(type(path), 'write_bytes', interrupted)
  with pytest.raises(KeyboardInterrupt):
    files.write(path, b'new')
  assert path.read_bytes() == b'old'
  assert [one.name for one in tmp_path.iterdir()] == ['a']
