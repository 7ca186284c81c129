import resource
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from adseg_jax.training import memory

GIB = 2**30


class Device:
  """One whose memory is counted, or, with None, is not."""

  def __init__(self, peak):
    self._peak = peak

  def memory_stats(self):
    return self._peak and {'peak_bytes_in_use': self._peak, 'bytes_in_use': 1}


@pytest.mark.parametrize('devices,wanted', [
    ([None, None], {}), ([3 * GIB, 5 * GIB], {'peak_device_gib': 5.0}),
])
def test_peaks_are_in_gib(monkeypatch, tmp_path, devices, wanted):
  status = tmp_path / 'status'
  status.write_text('Name:\tpython\nVmHWM:\t 1572864 kB\nVmRSS:\t 7 kB\n')
  monkeypatch.setattr(memory, '_STATUS', status)
  monkeypatch.setattr(jax, 'local_devices', lambda: [*map(Device, devices)])
  assert memory.peaks() == {'peak_host_gib': 1.5} | wanted


def test_where_there_is_no_proc(monkeypatch, tmp_path):
  monkeypatch.setattr(memory, '_STATUS', tmp_path / 'none')
  taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  unit = 1 if sys.platform == 'darwin' else 2**10
  found = memory.peaks()['peak_host_gib'] * GIB / unit
  assert taken <= found < 1.2 * taken


@pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='no /proc')
def test_memory_of_the_process_that_started_this_one_is_not_counted():
  big = bytearray(2**29)
  big[::4096] = b'1' * len(big[::4096])
  # Without JAX, which takes long to import.
  code = (
      'import sys, types; '
      'jax = sys.modules["jax"] = types.ModuleType("jax"); '
      'jax.local_devices = lambda: []; '
      'from adseg_jax.training.memory import peaks; '
      'a = peaks()["peak_host_gib"]; b = b"1" * 2**28; '
      'print(a, peaks()["peak_host_gib"] - a)'
  )
  out = subprocess.run(
      [sys.executable, '-c', code], capture_output=True, text=True, check=True
  ).stdout
  before, more = map(float, out.split())
  assert before < 0.3 and 0.2 < more < 0.3
